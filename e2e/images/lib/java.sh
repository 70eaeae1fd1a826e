# Images with a Java program: our jars, their libraries, a run-time made by jlink, and a cache of loaded classes; sourced by build.sh.

# A JDK of the version that the build needs
java_home() {
  local home version
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*25*; do
    [ -x "$home/bin/jlink" ] || continue
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
    [ "${version:-0}" -lt 25 ] || { echo "$home"; return; }
  done
  die "found no JDK 25 with jlink: set JAVA_HOME to one"
}

# All that decides what the jars of a module hold
sources_key() {
  (cd "$REPO" && { find pom.xml crds/pom.xml "$1/pom.xml" crds/src/main "$1/src/main" -type f | LC_ALL=C sort | tr '\n' '\0' \
    | xargs -0 sha256sum; "$JDK/bin/java" -version 2>&1; }) | sha256sum | cut -c1-16
}

jars_path() { echo "$CACHE/java/$1-$(sources_key "$1")"; }

# package MODULE... : makes the jars of those that are not there for these sources, all in one run of Maven
package() {
  local module stale=()
  for module; do [ -d "$(jars_path "$module")" ] || stale+=("$module"); done
  [ ${#stale[@]} -gt 0 ] || return 0
  say "packaging with Maven: ${stale[*]}"
  for module in "${stale[@]}"; do rm -rf "$REPO/$module/target/dependency"; done
  (cd "$REPO" && JAVA_HOME=$JDK mvn -q -B -T 2 -pl "$(IFS=,; echo "${stale[*]}")" -am -DskipTests package \
    dependency:copy-dependencies -DincludeScope=runtime) > "$CACHE/maven.log" 2>&1 9>&- \
    || { tail -n 30 "$CACHE/maven.log" >&2; die "the sources do not build, see $CACHE/maven.log"; }
  mkdir -p "$CACHE/java"
  for module in "${stale[@]}"; do
    # a few older ones stay: going back to them costs nothing
    { ls -dt "$CACHE/java/$module"-* 2> /dev/null || true; } | tail -n +4 | xargs -r rm -rf
    collect "$module" "$WORK/jars"
    mv "$WORK/jars" "$(jars_path "$module")"
  done
}

# collect MODULE DIR : our jars to app/, libraries to lib/, native code to native/
collect() {
  local target=$REPO/$1/target jars=$2 jar name
  mkdir -p "$jars"/{app,lib,native}
  cp "$target"/pairvm-*.jar "$jars/app/"
  rm -f "$jars"/app/*-{tests,sources,javadoc}.jar
  for jar in "$target"/dependency/*.jar; do
    name=$(basename "$jar")
    case $name in
      pairvm-*-tests.jar) ;;
      pairvm-*) cp "$jar" "$jars/app/" ;;
      *) cp "$jar" "$jars/lib/" ;;
    esac
    # Netty looks there before it unpacks its native code to a temporary file at each start
    case $name in
      netty-*native-*-linux-x86_64.jar | netty-tcnative-boringssl-static-*-linux-x86_64.jar)
        (cd "$jars/native" && "$JDK/bin/jar" xf "$jar" META-INF/native && mv META-INF/native/*.so . && rm -r META-INF)
        ;;
    esac
  done
}

# jre : prints a directory with the run-time; both programs share it, and the images share its layer
jre() {
  local key dir
  key=$(key_of "$HERE/java.modules" "$JDK/release")
  dir=$CACHE/java/jre-$key
  if [ ! -d "$dir" ]; then
    say "linking the Java run-time"
    rm -rf "$CACHE"/java/jre-* "$WORK/jre"
    mkdir -p "$CACHE/java" "$WORK/jre/usr/lib/pairvm"
    "$JDK/bin/jlink" --add-modules "$(package_list "$HERE/java.modules")" --strip-debug --no-header-files --no-man-pages \
      --output "$WORK/jre/usr/lib/pairvm/jre" >&2 || die "jlink failed"
    find "$WORK/jre" -exec touch -h -d @1767225600 {} +
    mv "$WORK/jre" "$dir"
  fi
  echo "$dir"
}

# class_path JARS : our jars first; spelt out, for the cache of classes is only valid for the very same path
class_path() {
  local jars=$1
  { (cd "$jars/app" && printf '/opt/pairvm/app/%s\n' *.jar); (cd "$jars/lib" && printf '/opt/pairvm/lib/%s\n' *.jar); } | paste -sd:
}

# train NAME DIR TREE... : runs the program once, in a root put together from the trees (the last with our files), so that the JVM
# writes down which classes it loads; the image starts with them loaded. An image without is right, but starts slower.
train() {
  local name=$1 out=$2 root=$WORK/train.$1 tree
  shift 2
  rm -rf "$root"
  mkdir -p "$root"
  for tree in "$@"; do cp -a "$tree/." "$root/"; done
  mkdir -p "$root"/{proc,dev,tmp,run/pairvm,sys}
  [ ! -x "$HERE/$name/standalone.sh" ] || "$HERE/$name/standalone.sh" "$root" /train 67108864 a b
  say "$name: recording a run for the class cache"
  # a name space for mounts and network: the run may do what it likes with both
  timeout -k 5 300 unshare --mount --net --pid --fork --kill-child --propagation private sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmp "$1/tmp"
    api=
    if [ -f "$2" ]; then # ends with the name space
      busybox ip link set lo up
      python3 -B "$2" "$1" &
      api="KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=6443"
    fi
    exec chroot "$1" /usr/bin/env PAIRVM_TRAIN=1 JAVA_AOT="-XX:AOTCacheOutput=/opt/pairvm/classes.aot" $api \
      sh /usr/lib/pairvm/train' train "$root" "$HERE/$name/trainer.py" > "$CACHE/$name-train.log" 2>&1 9>&- || true
  if [ -s "$root/opt/pairvm/classes.aot" ]; then
    stage "$out" 0644 "$root/opt/pairvm/classes.aot" opt/pairvm/classes.aot
    say "$name: class cache of $(($(stat -c %s "$out/opt/pairvm/classes.aot") >> 20)) MiB"
  else
    say "$name: WARNING: no class cache was made, the image starts slower; see $CACHE/$name-train.log"
  fi
  rm -rf "$root"
}

# build_java NAME MODULE USER WORDS-JSON : WORDS are the arguments when the pod gives none
build_java() {
  local name=$1 module=$2 user=$3 words=$4 tree jars jre key layers=$WORK/$1 jar
  tree=$(os_tree "$name")
  package "$module"
  jars=$(jars_path "$module")
  jre=$(jre)
  key=$({ cat "$tree.key" "$HERE/lib/java.sh" "$HERE/lib/archive.sh" "$HERE/$name"/{start,train,jvm.options}; cat "$HERE/$name"/*.{sh,py} "$HERE/../soak/nbd.py" 2> /dev/null; echo "$jars $jre"; } | sha256sum | cut -c1-16)
  have_image "$name" "$key" && return
  mkdir -p "$layers/app" "$layers/lib"
  for jar in "$jars"/lib/*.jar; do stage "$layers/lib" 0644 "$jar" "opt/pairvm/lib/$(basename "$jar")"; done
  for jar in "$jars"/native/*.so; do [ ! -f "$jar" ] || stage "$layers/lib" 0755 "$jar" "opt/pairvm/native/$(basename "$jar")"; done
  for jar in "$jars"/app/*.jar; do stage "$layers/app" 0644 "$jar" "opt/pairvm/app/$(basename "$jar")"; done
  stage "$layers/app" 0755 "$HERE/$name/start" "usr/bin/pairvm-$name"
  stage "$layers/app" 0644 "$HERE/$name/train" usr/lib/pairvm/train
  { sed 's/#.*//; /^[[:space:]]*$/d' "$HERE/$name/jvm.options"; echo "-Djava.library.path=/opt/pairvm/native"; echo "-cp $(class_path "$jars")"; } > "$WORK/jvm.options"
  stage "$layers/app" 0644 "$WORK/jvm.options" opt/pairvm/jvm.options
  train "$name" "$layers/app" "$tree" "$jre" "$layers/lib" "$layers/app"
  layer_of_tree "$tree" "$layers/os.tar"
  layer_of_tree "$jre" "$layers/jre.tar"
  layer_of_tree "$layers/lib" "$layers/lib.tar"
  layer_of_tree "$layers/app" "$layers/app.tar"
  write_image "$name" "$key" "[\"/usr/bin/pairvm-$name\"],\"Cmd\":$words" "$user" "$layers"/{os,jre,lib,app}.tar
}
