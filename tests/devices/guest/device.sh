# This machine is the storage device: a thin pool over two drives, a volume of which goes to another machine over
# NVMe/TCP. The node inside tells of it (claim 2).
for module in nvme dm-thin-pool nvmet-tcp virtio_net; do modprobe $module; done
until_true 120 test -b /dev/nvme2n1
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
ifconfig eth1 192.168.7.1 netmask 255.255.255.0 up
drive_of() { for c in /sys/class/nvme/nvme*; do grep -q $1 $c/serial && basename $(ls -d $c/nvme*n1 | head -n 1); done; }
first=$(drive_of HDRMFIRST) second=$(drive_of HDRMSECOND) meta=$(drive_of HDRMMETA)
sectors=$(cat /sys/block/$first/size)
printf "0 $sectors linear /dev/$first 0\n$sectors $sectors linear /dev/$second 0\n" >/tmp/table
dmsetup create space /tmp/table
dmsetup create pool --table "0 $((sectors * 2)) thin-pool /dev/$meta /dev/mapper/space 128 0"
dmsetup message pool 0 "create_thin 0"
dmsetup create volume --table "0 262144 thin /dev/mapper/pool 0"
mount -t configfs config /sys/kernel/config
export_block /dev/mapper/volume 192.168.7.1

word() { sed -n "s/.*headroom\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
cat >/etc/headroom-node.toml <<END
data_dir = "/var/lib/headroom-node"
placement = "peripheral"
peripheral_kind = "array"
interval_seconds = 2
patience_seconds = 8
listen = "0.0.0.0:8471"
address = "$(word address)"
hub = "$(word hub)"
consent = ["support", "advice"]
organisation = "Ada Ltd"
site = "Oslo"
skip_devices = ["vda", "vdb"]
END
# The line may break an enrolment off: then with the next token.
for token in $(word tokens | tr , ' '); do
    headroom-node enrol --token $token >>/out/enrol.txt 2>&1 && break
done
headroom-node run >/out/node.log 2>&1 &
say "SERVING"
told_to_stop() { dd if=/dev/vdb bs=512 count=1 iflag=direct 2>/dev/null | grep -q stop; }
until_true 600 told_to_stop
kill $!
wait $!
headroom-node store check --json >/out/check.json
headroom-node store export >/out/export.jsonl
