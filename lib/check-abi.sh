#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compare what libxmap.so exports, the version script, the committed list of
# symbols and the header, and look for a man page of each function.
# usage: check-abi.sh LIBRARY MANDIR
set -u
export LC_ALL=C

lib=$1
man=$2
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
status=0

same() {
	diff -u --label "$1" --label "$2" "$tmp/$1" "$tmp/$2" && return
	echo "check-abi: $1 and $2 differ" >&2
	status=1
}

# Symbols with their versions, without the version node itself.
nm -D --defined-only --with-symbol-versions "$lib" | awk '$2 != "A" { print $3 }' |
	sort >"$tmp/exports"
grep '^xmap_' "$here/libxmap.symbols" >"$tmp/list"
awk '/^[A-Z0-9_.]+ \{/ { node = $1 }
     /^\t\txmap_/ { sub(";", "", $1); print $1 "@@" node }' "$here/libxmap.map" | sort >"$tmp/map"
sed -n 's/^XMAP_API .*[ *]\(xmap_[a-z_]*\)(.*/\1/p' "$here/xmap.h" | sort >"$tmp/header"
sed 's/@@.*//' "$tmp/list" >"$tmp/names"

same list exports
same list map
same names header

soname=$(objdump -p "$lib" | awk '$1 == "SONAME" { print $2 }')
if [ "$soname" != libxmap.so.0 ]; then
	echo "check-abi: soname is '$soname'" >&2
	status=1
fi

while read -r name; do
	pages=$(grep -lE "^\.Nm $name( |\$)" "$man"/*.3 2>/dev/null | wc -l)
	if [ "$pages" -ne 1 ]; then
		echo "check-abi: $pages man pages in $man document $name, not 1" >&2
		status=1
	elif ! grep -qE "^\.Fo $name\$" "$man"/*.3; then
		echo "check-abi: no synopsis of $name in $man" >&2
		status=1
	fi
done <"$tmp/names"

if [ "$status" -eq 0 ]; then
	echo "ok $(wc -l <"$tmp/list") symbols of libxmap, all in map, header, list and manual"
else
	echo "not ok symbols of libxmap"
fi
exit "$status"
