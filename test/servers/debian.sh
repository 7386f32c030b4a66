# What the boot scripts share: a Debian release in a directory of its own, entered by chroot, so that servers of any
# release run beside each other and nothing of the machine's own packages changes.
#
# Sourced. The caller sets:
#   me    its name, for messages
#   root  the directory
#   log   a file that takes what installers print

say() { echo "$me: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# quietly runs a command with its output in the log, and shows the end of that if the command fails.
quietly() {
	if ! "$@" >>"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		die "$1 failed; all of its output is in $log"
	fi
}

# alone waits until no other run of a script works on the same directory. Servers must be started with 9>&-, or they
# would keep the lock for as long as they run.
alone() {
	exec 9>"$1"
	flock 9
}

# running prints the process id in a file if that process is alive and its command line holds a text: ids are reused.
running() {
	local file=$1 text=$2 pid
	[ -e "$file" ] || return 0
	pid=$(<"$file")
	if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$text"; then echo "$pid"; fi
}

# host_packages installs packages on the machine itself, given as command=package, where the command is missing.
host_packages() {
	local missing=() pair
	for pair in "$@"; do
		command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "needs root, to install ${missing[*]}"
	say "installing ${missing[*]}"
	quietly apt-get update -q
	quietly env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

# debian_mirror prints the Debian archive to install from: the one that this machine's apt uses.
debian_mirror() {
	local mirror=${DEBIAN_MIRROR:-}
	if [ -z "$mirror" ]; then
		mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '/\/debian\/*$/ && !n++')
	fi
	[ -n "$mirror" ] || die "apt names no Debian archive here: set DEBIAN_MIRROR to the URL of one"
	echo "$mirror"
}

inside() { chroot "$root" "$@"; }

# bootstrap puts a minimal Debian of a release into the directory, unless one is there.
bootstrap() {
	local release=$1 mirror=$2
	if [ ! -e "$root/.bootstrapped" ] && [ ! -e "$root/.installed" ]; then
		quietly debootstrap --variant=minbase "$release" "$root" "$mirror"
		touch "$root/.bootstrapped"
	fi
	mount_system
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# Packages must not start their servers by themselves.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
}

install_inside() {
	quietly inside env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install -y -q --no-install-recommends "$@"
}

mount_system() {
	local m
	for m in proc sys dev; do
		mountpoint -q "$root/$m" || mount --bind "/$m" "$root/$m"
	done
}

# remove_root deletes the directory. What is mounted in it belongs to the machine and must survive.
remove_root() {
	local m
	[ -e "$root" ] || return 0
	[ -e "$root/.installed" ] || [ -e "$root/.bootstrapped" ] || die "$root was not made by this script"
	for m in proc sys dev; do
		if mountpoint -q "$root/$m"; then umount "$root/$m"; fi
	done
	rm -rf --one-file-system "$root"
}
