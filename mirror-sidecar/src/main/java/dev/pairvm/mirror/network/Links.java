package dev.pairvm.mirror.network;

import java.nio.ByteBuffer;

/** Changes network devices over netlink where it must be quick, or where {@code ip} has no word for it. Any thread. */
final class Links implements AutoCloseable {
    // include/uapi/linux/rtnetlink.h, if_link.h, if.h, ip.h
    private static final int RTM_SETLINK = 19;
    private static final int IFLA_MASTER = 10;
    private static final int IFLA_AF_SPEC = 26;
    private static final int IFLA_INET_CONF = 1;
    private static final int AF_INET = 2;
    private static final int IPV4_DEVCONF_FORWARDING = 1;
    private static final int IFF_UP = 1;

    private final NetlinkSocket socket;

    Links() throws NetworkException {
        socket = new NetlinkSocket(NetlinkSocket.ROUTE);
    }

    /** Makes a device a port of a bridge, and takes it up. */
    synchronized void attach(int device, int bridge, String what) throws NetworkException {
        socket.request(setLink(device, true).number(IFLA_MASTER, bridge), what);
    }

    /** Takes a device out of its bridge. */
    synchronized void detach(int device, String what) throws NetworkException {
        socket.request(setLink(device, false).number(IFLA_MASTER, 0), what);
    }

    /**
     * Lets IPv4 packets that arrive at this device be routed on. The same as writing
     * {@code /proc/sys/net/ipv4/conf/DEVICE/forwarding}, which a container without privileges sees read-only; the kernel decides
     * by the setting of the device a packet came in at, so the pod-wide {@code ip_forward}, an "unsafe sysctl" to Kubernetes, is
     * not needed.
     */
    synchronized void forward(int device, String what) throws NetworkException {
        NetlinkMessages messages = setLink(device, false);
        int spec = messages.open(IFLA_AF_SPEC);
        int inet = messages.open(AF_INET);
        int settings = messages.open(IFLA_INET_CONF);
        messages.number(IPV4_DEVCONF_FORWARDING, 1);
        messages.close(settings).close(inet).close(spec);
        socket.request(messages, what);
    }

    private NetlinkMessages setLink(int device, boolean up) {
        NetlinkMessages messages = socket.messages().begin(RTM_SETLINK, 0, true);
        ByteBuffer link = messages.fixed();
        link.put((byte) 0).put((byte) 0).putShort((short) 0).putInt(device);
        link.putInt(up ? IFF_UP : 0).putInt(up ? IFF_UP : 0);
        return messages;
    }

    @Override
    public void close() {
        socket.close();
    }
}
