#!/bin/bash
# Prints the home of a JDK (with compiler) of the wanted version or newer; without one, says so and fails.
WANTED=25
version_of() { sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2> /dev/null; }
for home in "${JAVA_HOME:-}" /usr/lib/jvm/* "$HOME"/.sdkman/candidates/java/* /opt/jdk* "$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")"; do
  [ -x "$home/bin/javac" ] && [ "$(version_of "$home")" -ge $WANTED ] 2> /dev/null && { echo "$home"; exit; }
done
echo "no JDK $WANTED or newer was found (looked at JAVA_HOME, /usr/lib/jvm, ~/.sdkman, PATH): \"make deps\" installs one or says how" >&2
exit 1
