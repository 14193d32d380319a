# shellcheck shell=bash
# Images FROM scratch, by buildah with a storage of their own: the machine's images stay as they are.
# begin_image; add_*; finish_image NAME ARCHIVE "DOCKERFILE LINE"...

begin_image() {
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/shopmesh-image.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/context/rootfs/tmp"
  root=$work/context/rootfs
  chmod 1777 "$root/tmp"
}

add_file() { # file, path in the image
  install -D -m "$([ -x "$1" ] && echo 0755 || echo 0644)" "$1" "$root$2"
}

# A dynamic program is its binary, its loader and its libraries, at the paths where the loader looks for them.
add_program() { # file, path in the image
  add_file "$1" "$2"
  local library
  while read -r library; do
    add_file "$library" "$library"
  done < <(libraries_of "$1")
}

libraries_of() { # file
  ldd "$1" | grep -o '/[^ ]*' | sort -u
}

add_base() { # user name, uid: what programs expect of any system
  mkdir -p "$root/etc"
  printf 'root:x:0:0:root:/:/\n%s:x:%s:%s::/:/\n' "$1" "$2" "$2" >"$root/etc/passwd"
  printf 'root:x:0:\n%s:x:%s:\n' "$1" "$2" >"$root/etc/group"
  local bundle=/etc/ssl/certs/ca-certificates.crt
  [ -f $bundle ] || die "no $bundle; run 'make deps' (tests/cluster/deps)"
  add_file $bundle $bundle
}

finish_image() { # name, archive, Dockerfile lines...
  local name=$1 archive=$2; shift 2
  local storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
  { printf 'FROM scratch\nCOPY rootfs/ /\n'; printf '%s\n' "$@"; } >"$work/context/Dockerfile"
  mkdir -p "${archive%/*}"
  buildah bud "${storage[@]}" --isolation chroot --timestamp 0 --quiet -t "$name" "$work/context" >/dev/null
  buildah push "${storage[@]}" --quiet "$name" "docker-archive:$work/archive.tar:$name"
  mv -f "$work/archive.tar" "$archive"
  rm -rf "$work"
}
