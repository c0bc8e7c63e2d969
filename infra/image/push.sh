#!/usr/bin/env bash
# Builds an image for each platform that .ci/image laid out, pushes them, and joins them under one name.
#
# usage: infra/image/push.sh FOLDER NAME VERSION
#
# Prints the name and the digest of what was pushed, as `name=…` and `digest=…`.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=infra/scripts/common.sh
. "$here/../scripts/common.sh"

[ "${1:-}" != --help ] || { usage; exit 0; }
[ $# = 3 ] || die "three arguments are needed; see --help"
folder=$1 name=$2 version=$3
need docker

parts=()
for platform in "$folder"/*/; do
    arch=$(basename "$platform")
    docker build --quiet --provenance=false --platform "linux/$arch" --file "$here/Dockerfile" --tag "$name:$version-$arch" \
        --label "org.opencontainers.image.version=$version" --label org.opencontainers.image.licenses=MIT "$platform" >&2
    docker push --quiet "$name:$version-$arch" >&2
    parts+=("$name:$version-$arch")
done
[ "${#parts[@]}" -gt 0 ] || die "$folder has no platform"
docker buildx imagetools create --tag "$name:$version" --tag "$name:latest" "${parts[@]}" >&2
digest=$(docker buildx imagetools inspect --format '{{json .Manifest.Digest}}' "$name:$version" | tr -d '"')
[[ $digest == sha256:* ]] || die "$name:$version has no digest: $digest"
printf 'name=%s\ndigest=%s\n' "$name" "$digest"
