#include "guest.h"

#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

static void end(int how, const char *word) {
  say("%s", word);
  sync();
  reboot(how);
  _exit(1); /* process 1 ends: the kernel panics, which is what a failed reboot should look like */
}

void power_reboot(void) {
  end(RB_AUTOBOOT, "rebooting");
  __builtin_unreachable();
}

void power_off(void) {
  end(RB_POWER_OFF, "powering off");
  __builtin_unreachable();
}

void power_panic(void) {
  say("panic on request");
  write_file("/proc/sys/kernel/sysrq", "1");
  write_file("/proc/sysrq-trigger", "c");
}

/* The ACPI power button is an input device. */
int power_button_open(int *fds, int max) {
  int n = 0;
  for (int i = 0; i < 8 && n < max; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/input/event%d", i);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
      fds[n++] = fd;
    }
  }
  return n;
}

void power_button_read(int fd) {
  struct input_event event;
  while (read(fd, &event, sizeof event) == sizeof event) {
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) {
      say("power button");
      power_off();
    }
  }
}
