# Runs a shell script where the system's accounts are those in a folder.
# Usage: account.sh FOLDER SCRIPT ARGUMENTS
set -eu
folder=$1
shift
for file in passwd group shadow; do
    mount --bind "$folder/$file" "/etc/$file"
done
exec sh "$@"
