# Another machine, which uses the device's space over the network and runs no node.
for module in nvme-tcp virtio_net; do modprobe $module; done
ifconfig eth0 192.168.7.2 netmask 255.255.255.0 up
connect() { connect_to 192.168.7.1; }
until_true 300 connect
until_true 120 test -b /dev/nvme0n1
dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=20 oflag=direct 2>/dev/null
say "WRITTEN"
