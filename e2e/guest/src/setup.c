#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

char boot_id[40] = "unknown";

double up_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

void say(const char *format, ...) {
  char line[512];
  int at = snprintf(line, sizeof line, "pairvm-guest [%8.3f] ", up_seconds());
  va_list args;
  va_start(args, format);
  int more = vsnprintf(line + at, sizeof line - at - 2, format, args);
  va_end(args);
  at += more < (int)sizeof line - at - 2 ? more : (int)sizeof line - at - 3;
  line[at++] = '\n';
  /* one write: lines of several threads do not mix */
  if (write(STDOUT_FILENO, line, at) != at) {
    return;
  }
}

void stage(const char *name) { say("stage %s", name); }

int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) {
    return -1;
  }
  int done = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
  close(fd);
  return done;
}

void setup_mounts(void) {
  mount("proc", "/proc", "proc", 0, 0);
  mount("sys", "/sys", "sysfs", 0, 0);
  mount("dev", "/dev", "devtmpfs", 0, 0);
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
  if (fd >= 0) {
    ssize_t n = read(fd, boot_id, sizeof boot_id - 1);
    boot_id[n > 0 && boot_id[n - 1] == '\n' ? n - 1 : n > 0 ? n : 0] = 0;
    close(fd);
  }
}

/* /modules/NN-NAME.ko, in the order in which they depend on each other; /modules/list holds the names. */
void setup_modules(void) {
  FILE *list = fopen("/modules/list", "r");
  char name[128], path[192];
  while (list && fgets(name, sizeof name, list)) {
    name[strcspn(name, "\n")] = 0;
    snprintf(path, sizeof path, "/modules/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST && errno != ENODEV)) {
      say("module %s: %s", name, strerror(errno));
    }
    if (fd >= 0) {
      close(fd);
    }
  }
  if (list) {
    fclose(list);
  }
}

bool settings_take(const char *key, const char *value) {
  if (!strcmp(key, "rate")) {
    settings.log_rate = log_set_rate(atol(value));
  } else if (!strcmp(key, "depth")) {
    settings.log_depth = log_set_depth(atol(value));
  } else if (!strcmp(key, "fill")) {
    settings.fill_mib = atol(value);
  } else if (!strcmp(key, "dirty")) {
    settings.dirty_mib_per_s = atol(value);
  } else if (!strcmp(key, "ip")) {
    snprintf(settings.address, sizeof settings.address, "%s", value);
  } else {
    say("setting \"%s\" is unknown and was passed over", key);
    return false;
  }
  return true;
}

void setup_command_line(void) {
  char line[4096];
  int fd = open("/proc/cmdline", O_RDONLY);
  ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
  if (fd >= 0) {
    close(fd);
  }
  line[n > 0 ? n : 0] = 0;
  for (char *save, *word = strtok_r(line, " \n", &save); word; word = strtok_r(0, " \n", &save)) {
    char *equals = strchr(word, '=');
    if (!strncmp(word, "pairvm.", 7) && equals) {
      *equals = 0;
      settings_take(word + 7, equals + 1);
    }
  }
}
