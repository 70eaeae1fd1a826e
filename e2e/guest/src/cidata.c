/* Reads a cloud-init NoCloud seed: of network-config the addresses (versions 1 and 2), of user-data "hostname:" and our own settings. */
#include "guest.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define SEED "/seed"

/* One network card while its lines are read. */
struct card {
  char name[32], mac[32], gateway[64], address[64], netmask[64];
  bool dhcp;
};

static bool looks_like_seed(void) {
  return access(SEED "/meta-data", F_OK) == 0 || access(SEED "/user-data", F_OK) == 0 || access(SEED "/network-config", F_OK) == 0;
}

/* Looked at before mounting, for the kernel complains about what is neither. */
static const char *file_system_of(const char *device) {
  unsigned char sector[512];
  char iso[5];
  int fd = open(device, O_RDONLY | O_CLOEXEC);
  bool is_iso = fd >= 0 && pread(fd, iso, 5, 32769) == 5 && !memcmp(iso, "CD001", 5);
  bool is_fat = fd >= 0 && pread(fd, sector, 512, 0) == 512 && (!memcmp(sector + 54, "FAT", 3) || !memcmp(sector + 82, "FAT", 3));
  if (fd >= 0) {
    close(fd);
  }
  return is_iso ? "iso9660" : is_fat ? "vfat" : 0;
}

/* The seed may be a CD, or any other disk than the log's, with ISO 9660 or FAT. */
static bool mount_seed(void) {
  DIR *dir = opendir("/sys/class/block");
  bool found = false;
  for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
    char device[64];
    snprintf(device, sizeof device, "/dev/%.40s", entry->d_name);
    const char *type = !strncmp(entry->d_name, "vd", 2) || !strncmp(entry->d_name, "sr", 2) ? file_system_of(device) : 0;
    if (!type || mount(device, SEED, type, MS_RDONLY, 0)) {
      continue;
    }
    found = looks_like_seed();
    if (found) {
      say("cloud-init seed on %s", device);
    } else {
      umount(SEED);
    }
  }
  if (dir) {
    closedir(dir);
  }
  return found;
}

static void unquote(char *text) {
  char *to = text;
  for (const char *from = text; *from && !(*from == '#' && (from == text || isspace((unsigned char)from[-1]))); from++) {
    if (!strchr("\"'[] \t\r\n", *from)) {
      *to++ = *from;
    }
  }
  *to = 0;
}

static bool apply(const struct card *card, int ordinal) {
  char name[32], address[140];
  if (!card->address[0]) {
    return false;
  }
  if (!card->mac[0] || !net_interface_of_mac(card->mac, name, sizeof name)) {
    if (!strncmp(card->name, "eth", 3)) {
      snprintf(name, sizeof name, "%s", card->name);
    } else {
      snprintf(name, sizeof name, "eth%d", ordinal);
    }
  }
  int prefix = 0;
  unsigned m[4];
  if (sscanf(card->netmask, "%u.%u.%u.%u", m, m + 1, m + 2, m + 3) == 4) {
    prefix = __builtin_popcount(m[0] << 24 | m[1] << 16 | m[2] << 8 | m[3]);
  }
  if (prefix && !strchr(card->address, '/')) {
    snprintf(address, sizeof address, "%s/%d", card->address, prefix);
  } else {
    snprintf(address, sizeof address, "%s", card->address);
  }
  return net_set_address(name, address, card->gateway);
}

static void copy(char *to, size_t size, const char *from) {
  if (!to[0]) {
    snprintf(to, size, "%s", from);
  }
}

/* A value of a line "key: value" or "- value"; a list in brackets counts by its first entry. */
static void take(struct card *card, const char *key, char *value, bool in_addresses) {
  value[strcspn(value, ",")] = 0;
  unquote(value);
  bool ipv4 = isdigit((unsigned char)value[0]) && strchr(value, '.') && !strchr(value, ':');
  if ((in_addresses && !*key) || !strcmp(key, "addresses") || !strcmp(key, "address")) {
    if (ipv4) {
      copy(card->address, sizeof card->address, value);
    }
  } else if (!strcmp(key, "gateway4") || !strcmp(key, "gateway") || !strcmp(key, "via")) {
    copy(card->gateway, sizeof card->gateway, value);
  } else if (!strcmp(key, "macaddress") || !strcmp(key, "mac_address")) {
    copy(card->mac, sizeof card->mac, value);
  } else if (!strcmp(key, "netmask")) {
    copy(card->netmask, sizeof card->netmask, value);
  } else if (!strcmp(key, "name") || !strcmp(key, "set-name")) {
    copy(card->name, sizeof card->name, value);
  }
}

/* A card begins with "NAME:" two levels below "ethernets:" (version 2) or with "- type: physical" (version 1). */
static bool read_network(void) {
  FILE *file = fopen(SEED "/network-config", "r");
  char line[256];
  struct card card = {0};
  bool any = false, ethernets = false, in_addresses = false, in_nameservers = false;
  int ordinal = -1, card_indent = -1, skip_indent = -1;
  while (file && fgets(line, sizeof line, file)) {
    int indent = strspn(line, " ");
    char *text = line + indent;
    if (!*text || strchr("#\n\r", *text)) {
      continue;
    }
    bool item = text[0] == '-' && text[1] == ' ';
    text += item ? 2 + strspn(text + 2, " ") : 0;
    char *colon = strchr(text, ':');
    bool pair = colon && (isspace((unsigned char)colon[1]) || !colon[1]);
    char key[64] = "", value[160] = "";
    if (pair) {
      snprintf(key, sizeof key, "%.*s", (int)(colon - text), text);
      unquote(key);
    }
    snprintf(value, sizeof value, "%s", pair ? colon + 1 : text);
    if (in_nameservers && indent > skip_indent) {
      continue; /* a name server is not an address of ours */
    }
    in_nameservers = pair && (!strcmp(key, "nameservers") || !strcmp(key, "dns_nameservers"));
    skip_indent = indent;
    if (in_nameservers) {
      continue;
    }
    bool first_of_card = ethernets && pair && !item && (card_indent < 0 || indent == card_indent);
    bool physical = item && !strcmp(key, "type");
    if (first_of_card || physical) {
      bool other = physical && !strstr(value, "physical");
      if (other && !strstr(value, "static")) {
        continue;
      }
      if (!other) {
        any |= apply(&card, ordinal);
        ordinal++;
        card = (struct card){0};
        card_indent = first_of_card ? indent : card_indent;
        if (first_of_card) {
          snprintf(card.name, sizeof card.name, "%.31s", key);
        }
        continue;
      }
    }
    ethernets |= pair && !strcmp(key, "ethernets");
    in_addresses = (pair && !strcmp(key, "addresses")) || (in_addresses && item && !pair);
    take(&card, key, value, in_addresses);
  }
  if (file) {
    any |= apply(&card, ordinal);
    fclose(file);
  }
  return any;
}

static void read_user_data(void) {
  FILE *file = fopen(SEED "/user-data", "r");
  char line[512], word[128];
  while (file && fgets(line, sizeof line, file)) {
    char *ours = strstr(line, "pairvm-guest:");
    if (line[0] == '#' && ours) {
      for (char *save, *pair = strtok_r(ours + 13, " \r\n", &save); pair; pair = strtok_r(0, " \r\n", &save)) {
        char *equals = strchr(pair, '=');
        if (equals) {
          *equals = 0;
          settings_take(pair, equals + 1);
        }
      }
    } else if (sscanf(line, "hostname: %127s", word) == 1) {
      unquote(word);
      if (sethostname(word, strlen(word))) {
        say("hostname \"%s\" was refused", word);
      }
    }
  }
  if (file) {
    fclose(file);
  }
}

bool cidata_apply(void) {
  if (!mount_seed()) {
    return false;
  }
  read_user_data();
  bool any = read_network();
  umount(SEED);
  return any;
}
