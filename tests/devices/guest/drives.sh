# NVMe with one, two, no and shared namespaces, SCSI, SATA; then hot plug and a critical warning, set from outside.
for module in nvme ahci ext4; do modprobe $module; done
until_true 120 test -b /dev/nvme0n1
until_true 120 test -n "$(disk_of vendor QEMU)"
one=$(for c in /sys/class/nvme/nvme*; do grep -q HDRMONE $c/serial && basename $c; done)
space=/dev/$(basename $(ls -d /sys/class/nvme/$one/nvme*n1 | head -n 1))
say "one is $one with $space"

# The head of the namespace that two controllers reach.
shared=/dev/$(for c in /sys/class/nvme/nvme*; do grep -q HDRMSHARED $c/serial && ls $c; done | sed -n 's/^\(nvme[0-9]*\)c[0-9]*\(n[0-9]*\)$/\1\2/p' | head -n 1)
say "shared is $shared"

look before
dd if=/dev/urandom of=$space bs=1M count=64 oflag=direct 2>/dev/null
dd if=/dev/urandom of=$shared bs=1M count=8 oflag=direct 2>/dev/null
dd if=$space of=/dev/null bs=1M count=32 iflag=direct 2>/dev/null
look written
# The decoders of others, on the same pages at the same time.
nvme smart-log /dev/$one -o json >/out/nvme_smart.json
nvme id-ctrl /dev/$one -o json >/out/nvme_id_ctrl.json
nvme id-ns $space -o json >/out/nvme_id_ns.json
for c in /dev/nvme[0-9]; do smartctl -a -j $c >/out/smartctl_$(basename $c).json; done
sata=$(disk_of vendor ATA)
scsi=$(disk_of vendor QEMU)
smartctl -a -j /dev/$sata >/out/smartctl_sata.json
sg_inq /dev/$scsi >/out/sg_inq.txt
sg_readcap --16 /dev/$scsi >/out/sg_readcap.txt
echo "$sata $scsi" >/out/disks.txt
look compared

# By its path: the shell has a smaller one of its own.
/bin/mke2fs -q -F -t ext4 $space
mount -t ext4 $space /mnt
look empty
dd if=/dev/zero of=/mnt/file bs=1M count=40 2>/dev/null
sync
look filled
rm /mnt/file
sync
look emptied
umount /mnt

say "AWAIT plug"
there() { for c in /sys/class/nvme/nvme*; do grep -q HDRMHOT $c/serial && ls -d $c/nvme*n1; done | grep -q n1; }
until_true 180 there
look plugged
say "AWAIT unplug"
gone() { ! grep -q HDRMHOT /sys/class/nvme/nvme*/serial; }
until_true 180 gone
look unplugged
