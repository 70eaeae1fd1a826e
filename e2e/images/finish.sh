#!/bin/sh
# finish.sh TRIM ROOT: makes a tree of unpacked Debian packages a lean container root. Used by build.sh on a tree of its own and by the
# Containerfiles on their own root. TRIM names one path or pattern a line, below ROOT, that the image does not need.
set -eu
trim=$1
root=${2%/}

# Readers of manuals are not in a container; licences stay.
rm -rf "$root"/usr/share/man "$root"/usr/share/info "$root"/usr/share/locale "$root"/usr/share/lintian \
  "$root"/usr/share/bash-completion "$root"/usr/share/zsh "$root"/usr/share/bug "$root"/usr/share/doc-base "$root"/usr/share/gtk-doc
find "$root"/usr/share/doc -mindepth 2 ! -type d ! -name copyright -delete
find "$root"/usr/share/doc -mindepth 1 -type d -empty -delete
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists "$root"/var/log/apt "$root"/var/cache/debconf "$root"/var/cache/ldconfig

if [ -f "$trim" ]; then
  sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$trim" | while read -r pattern; do
    # The pattern must be expanded here.
    # shellcheck disable=SC2086
    rm -rf "$root"/$pattern
  done
fi

# What the scripts of base-passwd and libc-bin would have done.
for file in passwd group; do
  [ -s "$root/etc/$file" ] || cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file"
done
[ -x "$root/usr/bin/bash" ] || sed -i 's#:/bin/bash$#:/bin/sh#' "$root/etc/passwd"
ldconfig -r "${root:-/}"

# A tool for each name that no package brought, for those who look inside.
if [ -x "$root/usr/bin/busybox" ]; then
  for applet in $("$root/usr/bin/busybox" --list); do
    [ -e "$root/usr/bin/$applet" ] || [ -e "$root/usr/sbin/$applet" ] || [ -L "$root/usr/bin/$applet" ] \
      || ln -s busybox "$root/usr/bin/$applet"
  done
fi

# Nobody gains rights inside.
find "$root"/usr -xdev -type f -perm /6000 -exec chmod a-s {} +
