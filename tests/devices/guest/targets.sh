# A thin unit by our own handler, device-mapper thin, nvmet over TCP, scsi_debug as ground truth and as a stuck device.
for module in loop dm-thin-pool uio target_core_mod target_core_user tcm_loop nvme-tcp nvmet-tcp; do modprobe $module; done
modprobe scsi_debug dev_size_mb=64 lbpu=1 lbpws=1
mount -t configfs config /sys/kernel/config
target=/sys/kernel/config/target
mkdir -p $target/core/user_0/thin
echo "dev_config=headroom/thin,dev_size=67108864,hw_block_size=512,nl_reply_supported=-1" >$target/core/user_0/thin/control
echo 1 >$target/core/user_0/thin/enable
thin-lun /dev/uio0 /sys/class/uio/uio0/maps/map0/size >/out/thin-lun.log 2>&1 &
unit=$target/loopback/naa.5001405a5a5a5a5a
mkdir -p $unit/tpgt_1
echo naa.5001405b5b5b5b5b >$unit/tpgt_1/nexus
mkdir $unit/tpgt_1/lun/lun_0
ln -s $target/core/user_0/thin $unit/tpgt_1/lun/lun_0/port
thin_there() { [ -n "$(disk_of vendor HEADROOM)" ]; }
until_true 120 thin_there
thin=$(disk_of vendor HEADROOM)
debug=$(disk_of vendor Linux)

look thin_fresh
dd if=/dev/zero of=/dev/$thin bs=1M count=20 oflag=direct 2>/dev/null
look thin_written
sg_logs -p 0xc /dev/$thin >/out/sg_logs_0c.txt
sg_logs -p 0x11 /dev/$thin >/out/sg_logs_11.txt
sg_logs -p 0x19 /dev/$thin >/out/sg_logs_19.txt
sg_logs -p 0xd /dev/$thin >/out/sg_logs_0d.txt
sg_vpd -p lbpv /dev/$thin >/out/sg_vpd_b2.txt
blkdiscard -o 0 -l 10485760 /dev/$thin
look thin_discarded
dd if=/dev/zero of=/dev/$thin bs=1M count=60 oflag=direct 2>/out/thin_overrun.txt
look thin_full

truncate -s 4M /tmp/meta
truncate -s 64M /tmp/data
losetup /dev/loop0 /tmp/meta
losetup /dev/loop1 /tmp/data
dmsetup create pool --table "0 131072 thin-pool /dev/loop0 /dev/loop1 128 32768"
dmsetup message pool 0 "create_thin 0"
dmsetup create volume --table "0 409600 thin /dev/mapper/pool 0"
dd if=/dev/urandom of=/dev/mapper/volume bs=1M count=20 oflag=direct 2>/dev/null
sync
dmsetup status >/out/dmsetup_written.txt
look dm_written
blkdiscard -o 0 -l 10485760 /dev/mapper/volume
dmsetup status >/out/dmsetup_discarded.txt
look dm_discarded

ifconfig lo 127.0.0.1 up
truncate -s 64M /tmp/space
losetup /dev/loop2 /tmp/space
export_block /dev/loop2 127.0.0.1
connect_to 127.0.0.1
until_true 120 test -b /dev/nvme0n1
look tcp_before
dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=8 oflag=direct 2>/dev/null
look tcp_written
nvme smart-log /dev/nvme0 -o json >/out/nvme_smart.json
nvme ana-log /dev/nvme0 -o json >/out/nvme_ana.json
ana=/sys/kernel/config/nvmet/ports/1/ana_groups/1/ana_state
echo non-optimized >$ana
sleep 1
look ana_slower
echo inaccessible >$ana
sleep 1
look ana_lost
echo optimized >$ana

# scsi_debug swallows every command from now on.
echo 4 >/sys/bus/pseudo/drivers/scsi_debug/opts
echo -1 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
started=$(cut -d. -f1 /proc/uptime)
headroom-node probe --rounds 2 --pause 1 --skip-devices vda --patience-seconds 3 >/out/stuck.json 2>/out/stuck.err
echo $(($(cut -d. -f1 /proc/uptime) - started)) >/out/stuck_seconds.txt
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts
echo "$thin $debug" >/out/disks.txt
