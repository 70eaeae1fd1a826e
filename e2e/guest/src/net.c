#include "guest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_INTERFACES 8
/* Gratuitous ARP is sent again: the first may be lost while switches still learn. */
static const double ANNOUNCE_AFTER[] = {0, 0.2, 1, 3};

static struct interface {
  char name[IFNAMSIZ];
  bool configured;
  in_addr_t address;
  double since;
  unsigned announced;
} interfaces[MAX_INTERFACES];
static int count;

static int control(void) {
  static int fd = -1;
  return fd >= 0 ? fd : (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static struct ifreq request(const char *name) {
  struct ifreq r = {0};
  memcpy(r.ifr_name, name, strnlen(name, sizeof r.ifr_name - 1));
  return r;
}

static void up(const char *name) {
  struct ifreq r = request(name);
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control(), SIOCSIFFLAGS, &r)) {
    say("%s: can not be brought up", name);
  }
}

void net_up_all(void) {
  up("lo");
  DIR *dir = opendir("/sys/class/net");
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    if (!strncmp(entry->d_name, "eth", 3) && count < MAX_INTERFACES) {
      snprintf(interfaces[count++].name, IFNAMSIZ, "%.15s", entry->d_name);
      up(entry->d_name);
    }
  }
  if (dir) {
    closedir(dir);
  }
  char *name = settings.address[0] ? strdup(settings.address) : 0;
  char *address = name ? strchr(name, ',') : 0;
  if (address) {
    *address++ = 0;
    char *gateway = strchr(address, ',');
    if (gateway) {
      *gateway++ = 0;
    }
    net_set_address(name, address, gateway);
  } else if (name) {
    say("pairvm.ip=%s: expected INTERFACE,ADDRESS/PREFIX[,GATEWAY]", name);
  }
  free(name);
}

static bool hardware_address(const char *name, unsigned char mac[6]) {
  struct ifreq r = request(name);
  if (ioctl(control(), SIOCGIFHWADDR, &r)) {
    return false;
  }
  memcpy(mac, r.ifr_hwaddr.sa_data, 6);
  return true;
}

bool net_interface_of_mac(const char *text, char *name, size_t size) {
  unsigned wanted[6];
  if (sscanf(text, "%x:%x:%x:%x:%x:%x", wanted, wanted + 1, wanted + 2, wanted + 3, wanted + 4, wanted + 5) != 6) {
    return false;
  }
  for (int i = 0; i < count; i++) {
    unsigned char mac[6];
    bool same = hardware_address(interfaces[i].name, mac);
    for (int k = 0; k < 6; k++) {
      same = same && mac[k] == wanted[k];
    }
    if (same) {
      snprintf(name, size, "%s", interfaces[i].name);
      return true;
    }
  }
  return false;
}

static void set_in(struct sockaddr *where, in_addr_t address) {
  struct sockaddr_in *in = (struct sockaddr_in *)where;
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = address;
}

bool net_set_address(const char *interface, const char *address_and_prefix, const char *gateway) {
  char text[64];
  snprintf(text, sizeof text, "%s", address_and_prefix);
  char *slash = strchr(text, '/');
  int prefix = slash ? atoi(slash + 1) : 24;
  if (slash) {
    *slash = 0;
  }
  struct in_addr address, via;
  if (inet_pton(AF_INET, text, &address) != 1 || prefix < 1 || prefix > 32) {
    say("%s: \"%s\" is not an IPv4 address with prefix", interface, address_and_prefix);
    return false;
  }
  struct ifreq r = request(interface);
  set_in(&r.ifr_addr, address.s_addr);
  bool done = !ioctl(control(), SIOCSIFADDR, &r);
  r = request(interface);
  set_in(&r.ifr_netmask, htonl(~0u << (32 - prefix)));
  done = done && !ioctl(control(), SIOCSIFNETMASK, &r);
  if (done && gateway && *gateway && inet_pton(AF_INET, gateway, &via) == 1) {
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    set_in(&route.rt_gateway, via.s_addr);
    set_in(&route.rt_dst, 0);
    set_in(&route.rt_genmask, 0);
    done = !ioctl(control(), SIOCADDRT, &route);
  }
  for (int i = 0; i < count; i++) {
    interfaces[i].configured |= !strcmp(interfaces[i].name, interface);
  }
  say("%s: address %s/%d gateway %s%s", interface, text, prefix, gateway && *gateway ? gateway : "none", done ? "" : ": refused by the kernel");
  return done;
}

void net_dhcp_where_needed(void) {
  for (int i = 0; i < count; i++) {
    if (interfaces[i].configured) {
      continue;
    }
    if (fork() == 0) {
      execl("/bin/busybox", "udhcpc", "-f", "-i", interfaces[i].name, "-s", "/bin/dhcp-script", "-t", "5", "-T", "1", "-A", "1", (char *)0);
      _exit(127);
    }
  }
}

static void gratuitous_arp(const struct interface *interface) {
  struct {
    struct ether_header ethernet;
    struct ether_arp arp;
  } __attribute__((packed)) frame = {0};
  unsigned char mac[6];
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0 || !hardware_address(interface->name, mac)) {
    return;
  }
  memset(frame.ethernet.ether_dhost, 0xff, 6);
  memcpy(frame.ethernet.ether_shost, mac, 6);
  frame.ethernet.ether_type = htons(ETHERTYPE_ARP);
  frame.arp.ea_hdr = (struct arphdr){htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), 6, 4, htons(ARPOP_REQUEST)};
  memcpy(frame.arp.arp_sha, mac, 6);
  memcpy(frame.arp.arp_spa, &interface->address, 4);
  memcpy(frame.arp.arp_tpa, &interface->address, 4);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface->name), .sll_halen = 6};
  memset(to.sll_addr, 0xff, 6);
  sendto(fd, &frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to);
  close(fd);
}

void net_tick(void) {
  for (int i = 0; i < count; i++) {
    struct interface *interface = &interfaces[i];
    struct ifreq r = request(interface->name);
    in_addr_t address = ioctl(control(), SIOCGIFADDR, &r) ? 0 : ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr;
    if (address != interface->address) {
      interface->address = address;
      interface->since = up_seconds();
      interface->announced = 0;
      say("%s: has address %s", interface->name, inet_ntoa((struct in_addr){address}));
    }
    if (address && interface->announced < sizeof ANNOUNCE_AFTER / sizeof *ANNOUNCE_AFTER &&
        up_seconds() - interface->since >= ANNOUNCE_AFTER[interface->announced]) {
      gratuitous_arp(interface);
      interface->announced++;
    }
  }
}
