# Writes docker-archive tars (the format of "docker save"), which containerd, podman and docker load; sourced by build.sh.

# The same files give the same bytes.
TAR="tar --numeric-owner --sort=name --format=gnu"

# stage DIR MODE FILE PATH : a file for a layer, with the one date that all our files have (the class-data cache checks it)
stage() {
  mkdir -p "$1/$(dirname "$4")"
  install -m "$2" "$3" "$1/$4"
  touch -d @1767225600 "$1/$4"
}

# layer_of_tree DIR TAR
layer_of_tree() { $TAR --owner=0 --group=0 -C "$1" --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -cf "$2" .; }

# have_image NAME KEY : true if NAME.tar was made from these inputs
have_image() {
  [ -f "$CACHE/$1.tar" ] && [ "$(cat "$CACHE/$1.tar.key" 2> /dev/null)" = "$2" ] || return 1
  say "$1: image is there already"
}

# write_image NAME KEY ENTRYPOINT-JSON[,"Cmd":JSON] USER LAYER... : CACHE/NAME.tar holds pairvm/NAME:dev
write_image() {
  local name=$1 key=$2 entrypoint=$3 user=$4 dir=$WORK/image.$1 layer digest ids="" files=""
  shift 4
  mkdir -p "$dir"
  for layer in "$@"; do
    digest=$(sha256sum "$layer" | cut -d' ' -f1)
    mv "$layer" "$dir/$digest.tar"
    ids="$ids${ids:+,}\"sha256:$digest\""
    files="$files${files:+,}\"$digest.tar\""
  done
  printf '{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"User":"%s","Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":%s,"Labels":{"org.opencontainers.image.title":"pairvm/%s","org.opencontainers.image.licenses":"Apache-2.0","dev.pairvm.inputs":"%s"}},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$user" "$entrypoint" "$name" "$key" "$ids" > "$dir/config"
  digest=$(sha256sum "$dir/config" | cut -d' ' -f1)
  mv "$dir/config" "$dir/$digest.json"
  printf '[{"Config":"%s.json","RepoTags":["pairvm/%s:dev"],"Layers":[%s]}]' "$digest" "$name" "$files" > "$dir/manifest.json"
  (cd "$dir" && $TAR --owner=0 --group=0 --mtime=@0 -cf "$WORK/$name.tar" manifest.json "$digest.json" ./*[0-9a-f].tar --transform 's#^\./##')
  rm -f "$CACHE/$name.tar.key"
  mv "$WORK/$name.tar" "$CACHE/$name.tar"
  echo "$key" > "$CACHE/$name.tar.key"
  rm -rf "$dir"
  say "$name: wrote $CACHE/$name.tar ($(du -m "$CACHE/$name.tar" | cut -f1) MiB)"
}
