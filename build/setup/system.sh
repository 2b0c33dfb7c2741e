# shellcheck shell=bash
# What the operating system must provide: Debian packages through apt, or the command line tools of a Mac.

# system_packages PURPOSE...: the Debian packages for `core` (cgo), `window` (GTK, WebKit, the tray), `tests`, `bench` and `compare`.
system_packages() {
	local purpose
	for purpose; do
		case $purpose in
		core) echo gcc libc6-dev ca-certificates ;;
		window) echo pkg-config libgtk-3-dev libwebkit2gtk-4.1-dev libayatana-appindicator3-dev ;;
		tests) echo curl xvfb dbus-x11 gnome-keyring xdotool imagemagick chromium ;;
		bench) echo wrk sqlite3 ;;
		compare) echo libpcre2-8-0 ;; # what nginx needs; the rest is everywhere
		esac
	done
	# Debian packs pip apart from Python. Without it there is no way to a wheel.
	if ! python_has_pip; then echo python3-pip; fi
}

python_has_pip() { "$PYTHON" -m pip --version >/dev/null 2>&1; }

# missing_packages PACKAGE...: those that are not fully installed.
missing_packages() {
	local installed package
	installed=" $(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii  *//p' | tr '\n' ' ') "
	for package; do
		case $installed in *" $package "*) ;; *) echo "$package" ;; esac
	done
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 "$@"
}

apt_install() {
	apt update
	finish_broken_off
	apt --no-install-recommends install "${MISSING[@]}"
}

# An installation that was broken off leaves packages half-way: unpacked, or not even that. They have to be led to their end before
# apt does anything else. When there are none, this changes nothing.
finish_broken_off() {
	local torn
	as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confold || true # what is torn or wants others comes below
	read -r -a torn <<<"$(dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package}\n' | sed -n 's/^..R *//p' | tr '\n' ' ')"
	if [ ${#torn[@]} -gt 0 ]; then apt --reinstall install "${torn[@]}"; fi
	apt --fix-broken install
}

packages_there() { [ -z "$(missing_packages "${WANTED[@]}")" ]; }

prepare_debian() {
	local list
	read -r -a WANTED <<<"$(system_packages "$@" | tr '\n' ' ')"
	read -r -a MISSING <<<"$(missing_packages "${WANTED[@]}" | tr '\n' ' ')"
	list=${MISSING[*]-}
	if [ -n "$list" ] && [ "$(id -u)" -ne 0 ]; then
		has sudo || fail "System packages are missing and this is neither root nor is there sudo; as root, run: apt-get install $list"
		if ! sudo -n true 2>/dev/null; then
			say "sudo may ask for your password, to install: $list"
			sudo -v || fail "Without root's rights the system packages cannot be installed; as root, run: apt-get install $list"
		fi
	fi
	step system title='system packages' from="Debian's package archive" \
		doing="installing ${#MISSING[@]} system packages and what they need (a minute or more): $list" \
		there=packages_there run=apt_install
	if ! python_has_pip; then
		fail "$(command -v "$PYTHON") has no pip, which fetches uv: run \`$PYTHON -m ensurepip\`, or put a Python with pip first on PATH; then run \`$COMMAND\` again."
	fi
}

prepare_mac() {
	if ! xcode-select -p >/dev/null 2>&1 || ! clang --version >/dev/null 2>&1; then
		fail "Apple's command line tools are missing (their clang compiles the window): run \`xcode-select --install\`, then \`$COMMAND\` again."
	fi
	done_line "$(clang --version | sed -n 1p)"
	python_has_pip || fail "$(command -v "$PYTHON") has no pip, which fetches uv: brew install python; then run \`$COMMAND\` again."
	case " $* " in *' tests '*) from_homebrew browser 'a browser for the tests' mac_browser_there 'install --cask google-chrome' ;; esac
	case " $* " in *' bench '*) from_homebrew wrk 'wrk, which makes the load' mac_wrk_there 'install wrk' ;; esac
}

# from_homebrew STEP TITLE THERE BREW-ARGUMENTS
from_homebrew() {
	local arguments=$4
	if ! "$3" && ! has brew; then
		fail "Homebrew is missing, which would install $2: get it from brew.sh, then run \`$COMMAND\` again."
	fi
	# shellcheck disable=SC2086 # words
	brew_install() { brew $arguments; }
	step "$1" title="$2" doing="installing $2 through Homebrew" from='Homebrew' there="$3" run=brew_install
}

# The browser tests drive a Chromium that is installed; Playwright's own download is not used.
mac_browser_there() { [ -d '/Applications/Google Chrome.app' ] || [ -d '/Applications/Chromium.app' ]; }
mac_wrk_there() { has wrk; }

# nginx, for the comparison. On Debian its package is unpacked and not installed: installed, it would be a server that starts with
# the machine and listens on port 80.
NGINX=$CACHE/nginx/usr/sbin/nginx
nginx_there() { has nginx || "$NGINX" -v 2>/dev/null; }
nginx_fetch() {
	rm -rf "$CACHE/nginx"
	mkdir -p "$CACHE/nginx"
	cd "$CACHE/nginx"
	apt-get download nginx || {
		apt update
		apt-get download nginx
	}
	dpkg-deb --extract nginx_*.deb .
}

prepare_nginx() {
	if on_mac; then
		from_homebrew nginx 'nginx, to compare with' nginx_there 'install nginx'
	elif has apt-get; then
		step nginx title='nginx, to compare with' doing="fetching Debian's package of nginx" from="Debian's package archive" there=nginx_there run=nginx_fetch
	else
		has nginx || fail "nginx is missing, to compare with: install it, then run \`$COMMAND\` again."
	fi
}

# prepare_system PURPOSE...
prepare_system() {
	if on_mac; then
		prepare_mac "$@"
	elif has apt-get; then
		prepare_debian "$@"
	elif [ "${MLXBAR_SYSTEM_PACKAGES:-}" = present ]; then
		say 'System packages: not looked at, as MLXBAR_SYSTEM_PACKAGES=present says that they are there.'
	else
		fail "This set-up knows Debian's apt-get and macOS. Here, install what these Debian packages hold ($(system_packages "$@")) and run \`MLXBAR_SYSTEM_PACKAGES=present $COMMAND\`."
	fi
}
