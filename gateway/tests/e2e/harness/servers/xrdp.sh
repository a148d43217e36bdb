# Runs xrdp and its session manager where only they see the folders that they write to.
# Usage: xrdp.sh LAB ACCOUNT -- HOME SESMAN.INI XRDP.INI
set -eu
lab=${1%/} account=$2 home=$4 sesman=$5 xrdp=$6
there=$(getent passwd "$account" | cut -d : -f 6)

# xrdp asks this file, and no other, for the session manager's port.
mount --bind "$sesman" /etc/xrdp/sesman.ini
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lab /run/xrdp
mkdir -m 3777 /run/xrdp/sockdir
# X servers leave locks behind when they are killed.
mount --bind "$lab" /run/lab
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p "$lab"
mount --bind /run/lab "$lab"
# The account has no home.
mount -t tmpfs -o mode=755 tmpfs "$(dirname "$there")"
mkdir "$there"
mount --bind "$home" "$there"

xrdp-sesman --nodaemon --config "$sesman" &
exec xrdp --nodaemon --config "$xrdp"
