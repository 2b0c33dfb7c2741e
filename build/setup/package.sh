# shellcheck shell=bash
# Release binaries for this machine's system and processor, in one archive.

package() {
	local name archive licence
	RELEASE_FLAGS=(-trimpath) LINK_FLAGS='-s -w '
	compile_core
	compile_window
	name=mlxbar-$(version)-$(go env GOOS)-$(go env GOARCH)
	archive=build/artifacts/$name.tar.gz
	rm -rf "$CACHE/package"
	mkdir -p "$CACHE/package/$name" build/artifacts
	cp "$BIN/mlxbar" "$BIN/mlxbar-app" "$BIN/mlxbar-tray" "$BIN/mlx-benchmark" "$BIN/uv" LICENSE "$CACHE/package/$name/"
	for licence in "$CACHE"/uv/uv-*.dist-info/licenses/LICENSE-*; do
		cp "$licence" "$CACHE/package/$name/uv-${licence##*/}"
	done
	tar -czf "$archive.new" -C "$CACHE/package" "$name"
	mv "$archive.new" "$archive"
	done_line "$archive (not signed; needs the system's GTK 3 and WebKitGTK 4.1 on Linux)"
}
