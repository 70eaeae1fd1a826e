# Container images come as docker-archive or OCI tar files; there is no registry; sourced.
# What is loaded stays in $LAB/images and is imported by each node, at once and at later boots.

node_import() { exec_node "$1" /pairvm/boot/node-images.sh; }

# keep_image FILE : true if it was new
keep_image() {
  local file=$1 name sum; name=$(basename "$1")
  [ -f "$file" ] || die "no such file: $file"
  case $name in *.tar) ;; *) die "$file: the name must end with .tar" ;; esac
  tar -tf "$file" 2> /dev/null | grep -qxE '(\./)?(manifest|index)\.json' || die "$file is no docker-archive or OCI archive (no manifest.json or index.json inside)"
  sum=$(sha256sum "$file" | cut -d' ' -f1)
  mkdir -p "$LAB/images"
  [ "$(cat "$LAB/images/$name.sha256" 2> /dev/null)" != "$sum" ] || return 1
  cp "$file" "$LAB/images/.$name.new"; mv "$LAB/images/.$name.new" "$LAB/images/$name"
  echo "$sum" > "$LAB/images/$name.sha256"
}

cmd_load_image() {
  [ $# -gt 0 ] || die "load-image FILE.tar ..."
  local f n status=0 jobs=()
  for f in "$@"; do if keep_image "$f"; then say "$(basename "$f"): new"; fi; done
  for n in $NODES; do if alive "$n"; then node_import "$n" >&2 & jobs+=($!); fi; done
  for n in ${jobs[@]+"${jobs[@]}"}; do wait "$n" || status=1; done
  [ $status = 0 ] || die "not every node could import the image"
}

# image_of NAME TAG ENTRYPOINT-JSON DIRECTORY : writes NAME.tar, one layer; the same files give the same bytes
image_of() {
  local work layer config; work=$(mktemp -d)
  tar --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -C "$4" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')" "$3" "$layer" > "$work/config"
  config=$(sha256sum "$work/config" | cut -d' ' -f1); mv "$work/config" "$work/$config.json"
  printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$config" "$2" > "$work/manifest.json"
  tar --numeric-owner --owner=0 --group=0 --mtime=@0 -C "$work" -cf "$work/out.tar" manifest.json "$config.json" layer.tar
  mv "$work/out.tar" "$LAB/made/$1.tar"; rm -rf "$work"
}

# The pod sandbox's image, and one with a shell for tests.
make_own_images() {
  mkdir -p "$LAB/made"
  if [ "$LAB/made/pause.tar" -nt "$HERE/pause.c" ] && [ "$LAB/made/busybox.tar" -nt "$HERE/images.sh" ]; then return; fi
  local fs; fs=$(mktemp -d)
  mkdir -p "$fs"/pause "$fs"/busybox/{bin,tmp,etc,proc,sys,dev,root,run,var}
  gcc -Os -static -s -o "$fs/pause/pause" "$HERE/pause.c"
  cp "$(command -v busybox)" "$fs/busybox/bin/busybox"
  local a; for a in $(busybox --list); do [ "$a" = busybox ] || ln -s busybox "$fs/busybox/bin/$a"; done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$fs/busybox/etc/passwd"; echo 'root:x:0:' > "$fs/busybox/etc/group"; chmod 1777 "$fs/busybox/tmp"
  image_of pause pairvm.lab/pause:1 '["/pause"]' "$fs/pause"
  image_of busybox pairvm.lab/busybox:1 '["/bin/sh"]' "$fs/busybox"
  rm -rf "$fs"
  for a in pause busybox; do keep_image "$LAB/made/$a.tar" || true; done
}
