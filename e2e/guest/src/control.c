#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_JOBS 4
#define PAGE_BYTES 4096

/* Work that takes longer than a moment runs beside the main loop. */
struct job {
  void (*run)(uint64_t client, uint64_t argument);
  uint64_t client, argument;
};
static atomic_int jobs;

static void *carry_out(void *argument) {
  struct job *job = argument;
  job->run(job->client, job->argument);
  free(job);
  jobs--;
  return 0;
}

static void start(uint64_t client, void (*run)(uint64_t, uint64_t), uint64_t argument) {
  pthread_t thread;
  struct job *job = jobs < MAX_JOBS ? malloc(sizeof *job) : 0;
  if (job) {
    jobs++;
    *job = (struct job){run, client, argument};
    if (!pthread_create(&thread, 0, carry_out, job)) {
      pthread_detach(thread);
      return;
    }
    jobs--;
    free(job);
  }
  serve_line(client, "ERROR busy: %d jobs are running", MAX_JOBS);
}

static void fill(uint64_t client, uint64_t mib) { serve_line(client, "OK fill %ld", memory_fill(mib)); }

static void check_memory(uint64_t client, uint64_t unused) {
  (void)unused;
  memory_check(client);
}

/* How large the first disk is to its driver, and whether its last page can be written and read; sectors are 512 bytes. */
static void check_end(uint64_t client, uint64_t unused) {
  (void)unused;
  static const char mark[PAGE_BYTES] = "PairVM was at the end of this disk";
  static char found[PAGE_BYTES];
  unsigned long long sectors = 0;
  FILE *size = fopen("/sys/class/block/vda/size", "r");
  bool known = size && fscanf(size, "%llu", &sectors) == 1 && sectors * 512 >= PAGE_BYTES;
  if (size) {
    fclose(size);
  }
  int disk = known ? open("/dev/vda", O_RDWR | O_CLOEXEC) : -1;
  off_t end = (off_t)(sectors * 512 - PAGE_BYTES);
  bool written = disk >= 0 && pwrite(disk, mark, PAGE_BYTES, end) == PAGE_BYTES && !fdatasync(disk);
  bool kept = written && !posix_fadvise(disk, end, PAGE_BYTES, POSIX_FADV_DONTNEED) &&
              pread(disk, found, PAGE_BYTES, end) == PAGE_BYTES && !memcmp(mark, found, PAGE_BYTES);
  if (disk >= 0) {
    close(disk);
  }
  serve_line(client, kept ? "OK diskend %llu" : "FAIL diskend %llu", sectors * 512);
}

static void sync_all(uint64_t client, uint64_t unused) {
  (void)unused;
  sync();
  bool failed = the_log.fd >= 0 && fdatasync(the_log.fd);
  if (failed) {
    log_report_error("flush", log_announced(), errno);
  }
  serve_line(client, failed ? "FAIL sync" : "OK sync");
}

static void power(uint64_t client, uint64_t how) {
  usleep(100000); /* the reply leaves first */
  (void)client;
  how == 'r' ? power_reboot() : how == 'o' ? power_off() : power_panic();
}

static void status(uint64_t client) {
  char host[64] = "";
  gethostname(host, sizeof host - 1);
  serve_line(client, "OK status boot=%s boots=%llu up=%.3f log=%016llx slots=%llu last=%llu ioerrors=%llu rate=%ld depth=%ld filled=%ld host=%s",
             boot_id, (unsigned long long)the_log.boot, up_seconds(), (unsigned long long)the_log.id, (unsigned long long)the_log.slots,
             (unsigned long long)log_announced(), (unsigned long long)log_io_errors(), settings.log_rate, settings.log_depth,
             memory_filled(), host);
}

/* "WORD [NUMBER]"; every command is answered by lines of which the last begins with OK, FAIL or ERROR. */
void control_line(uint64_t client, char *line) {
  char word[32] = "", rest[8] = "";
  unsigned long long number = 0;
  int fields = sscanf(line, "%31s %llu %7s", word, &number, rest);
  if (fields < 1) {
    return;
  }
  bool has_number = fields == 2;
  if (fields == 3 || (fields == 1 && strlen(line) > strlen(word) + 2)) {
    serve_line(client, "ERROR expected one word, or a word and a number");
  } else if (!strcmp(word, "verify")) {
    start(client, verify_log, number);
  } else if (!strcmp(word, "get") && has_number) {
    start(client, verify_get, number);
  } else if (!strcmp(word, "fill") && has_number) {
    start(client, fill, number);
  } else if (!strcmp(word, "dirty") && has_number) {
    serve_line(client, "OK dirty %ld", memory_dirty(number > 100000 ? 100000 : (long)number));
  } else if (!strcmp(word, "memcheck")) {
    start(client, check_memory, 0);
  } else if (!strcmp(word, "rate") && has_number) {
    serve_line(client, "OK rate %ld", settings.log_rate = log_set_rate(number > 1000000 ? 1000000 : (long)number));
  } else if (!strcmp(word, "depth") && has_number) {
    serve_line(client, "OK depth %ld", settings.log_depth = log_set_depth(number > 1000 ? 1000 : (long)number));
  } else if (!strcmp(word, "sync")) {
    start(client, sync_all, 0);
  } else if (!strcmp(word, "diskend")) {
    start(client, check_end, 0);
  } else if (!strcmp(word, "uptime")) {
    serve_line(client, "OK uptime %.3f", up_seconds());
  } else if (!strcmp(word, "bootid")) {
    serve_line(client, "OK bootid %s", boot_id);
  } else if (!strcmp(word, "status")) {
    status(client);
  } else if (!strcmp(word, "reboot") || !strcmp(word, "poweroff") || !strcmp(word, "panic")) {
    serve_line(client, "OK %s", word);
    start(client, power, word[0] == 'r' ? 'r' : word[1] == 'o' ? 'o' : 'c');
  } else {
    serve_line(client, "ERROR \"%s\": verify [FROM], get N, fill MIB, dirty MIB_PER_S, memcheck, rate N, depth N, sync, diskend, uptime, bootid, "
                       "status, reboot, poweroff, panic", word);
  }
}
