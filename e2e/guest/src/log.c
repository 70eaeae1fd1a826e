/*
 * The write log: records of 4 KiB in a ring on the raw disk, behind the boot partition up to the disk's end.
 * Record n is written around the page cache, flushed, and only then announced; an announced record may never be missing.
 *
 *   block 0      superblock: identity and number of slots, written once
 *   blocks 1, 2  hints, in turn: a number that was durable when the hint was written; where recovery begins to look
 *   block 16 ...  slots; record n lies in slot n mod slots
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SUPER_MAGIC 0x31474f4c4d565250ull  /* "PRVMLOG1" */
#define HINT_MAGIC 0x31544e484d565250ull   /* "PRVMHNT1" */
#define RECORD_MAGIC 0x314345524d565250ull /* "PRVMREC1" */
#define FIRST_SLOT_BLOCK 16
#define MAX_SLOTS 262144 /* 1 GiB: a whole verification stays in the order of ten seconds */
#define HINT_EVERY 256
#define READ_BACK_EVERY 64

struct log the_log = {.fd = -1};
static atomic_long rate = 200, depth = 1;
static _Atomic uint64_t announced, io_errors;
static struct record *batch; /* MAX_DEPTH records, aligned for O_DIRECT */
static struct record *block; /* one more, for everything else */

uint64_t log_announced(void) { return announced; }
uint64_t log_io_errors(void) { return io_errors; }

static long clamp(long value, long low, long high) { return value < low ? low : value > high ? high : value; }
long log_set_rate(long per_second) { return rate = clamp(per_second, 0, 100000); }
long log_set_depth(long wanted) { return depth = clamp(wanted, 1, MAX_DEPTH); }

void log_report_error(const char *what, uint64_t number, int error) {
  io_errors++;
  say("IOERROR %s n=%llu: %s", what, (unsigned long long)number, strerror(error));
  serve_line(0, "IOERROR %s n=%llu: %s", what, (unsigned long long)number, strerror(error));
}

/* CRC-32C by table, of everything before the field crc. */
static uint64_t crc_of(const struct record *record) {
  static uint32_t table[8][256];
  if (!table[0][1]) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) {
        c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
      }
      table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
      for (int t = 1; t < 8; t++) {
        table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
      }
    }
  }
  uint32_t crc = ~0u;
  const uint64_t *word = (const uint64_t *)record;
  for (size_t i = 0; i < offsetof(struct record, crc) / 8; i++) {
    uint64_t x = word[i] ^ crc;
    crc = table[7][x & 255] ^ table[6][x >> 8 & 255] ^ table[5][x >> 16 & 255] ^ table[4][x >> 24 & 255] ^ table[3][x >> 32 & 255] ^
          table[2][x >> 40 & 255] ^ table[1][x >> 48 & 255] ^ table[0][x >> 56];
  }
  return (uint64_t)~crc << 1 | 1; /* never 0: a block of zeros is not valid */
}

uint64_t slot_offset(const struct log *log, uint64_t number) {
  return log->base + (FIRST_SLOT_BLOCK + number % log->slots) * RECORD_BYTES;
}

const char *record_fault(const struct record *record, const struct log *log) {
  if (record->magic != RECORD_MAGIC) {
    return "no record";
  }
  if (record->crc != crc_of(record)) {
    return "bad crc";
  }
  return record->log_id == log->id ? 0 : "record of another log";
}

static uint64_t clock_ns(int which) {
  struct timespec t;
  clock_gettime(which, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void make_record(struct record *record, uint64_t number) {
  *record = (struct record){RECORD_MAGIC, the_log.id, number, the_log.boot, clock_ns(CLOCK_BOOTTIME), clock_ns(CLOCK_REALTIME), {0}, 0};
  uint64_t x = (number + 1) * 0x9E3779B97F4A7C15ull ^ the_log.id;
  for (size_t i = 0; i < sizeof record->fill / 8; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    record->fill[i] = x;
  }
  record->crc = crc_of(record);
}

static bool read_block(uint64_t index) {
  return pread(the_log.fd, block, RECORD_BYTES, the_log.base + index * RECORD_BYTES) == RECORD_BYTES;
}

static bool write_block(uint64_t index) {
  block->crc = crc_of(block);
  return pwrite(the_log.fd, block, RECORD_BYTES, the_log.base + index * RECORD_BYTES) == RECORD_BYTES;
}

/* Hints go without a flush of their own: an older one only makes recovery look longer. */
static void write_hint(uint64_t number) {
  static unsigned turn;
  *block = (struct record){.magic = HINT_MAGIC, .log_id = the_log.id, .number = number, .boot = the_log.boot};
  if (!write_block(1 + turn++ % 2)) {
    log_report_error("write of a hint", number, errno);
  }
}

static uint64_t read_hint(void) {
  uint64_t number = 0;
  for (int i = 1; i <= 2; i++) {
    if (read_block(i) && block->magic == HINT_MAGIC && block->log_id == the_log.id && block->crc == crc_of(block)) {
      number = block->number > number ? block->number : number;
      the_log.boot = block->boot >= the_log.boot ? block->boot + 1 : the_log.boot;
    }
  }
  return number;
}

static bool holds(uint64_t number) {
  return pread(the_log.fd, block, RECORD_BYTES, slot_offset(&the_log, number)) == RECORD_BYTES && !record_fault(block, &the_log) &&
         block->number == number;
}

static bool format(uint64_t area) {
  the_log.slots = area / RECORD_BYTES - FIRST_SLOT_BLOCK;
  the_log.slots = the_log.slots > MAX_SLOTS ? MAX_SLOTS : the_log.slots;
  if (getrandom(&the_log.id, sizeof the_log.id, GRND_NONBLOCK) != sizeof the_log.id) {
    the_log.id = clock_ns(CLOCK_REALTIME) ^ clock_ns(CLOCK_BOOTTIME) << 32;
  }
  *block = (struct record){.magic = SUPER_MAGIC, .log_id = the_log.id, .number = the_log.slots};
  return write_block(0) && !fdatasync(the_log.fd);
}

/* The second partition of the master boot record says where the log begins; it goes on to the end of the disk. */
static uint64_t log_start_of(int fd, uint64_t disk) {
  unsigned char *sector = (unsigned char *)block;
  if (pread(fd, sector, RECORD_BYTES, 0) != RECORD_BYTES || sector[510] != 0x55 || sector[511] != 0xaa) {
    return 0;
  }
  uint32_t lba;
  memcpy(&lba, sector + 446 + 16 + 8, 4);
  uint64_t start = (uint64_t)lba * 512;
  return start && start % RECORD_BYTES == 0 && start + 1024 * RECORD_BYTES <= disk ? start : 0;
}

/* A lost tail must not be covered up: numbering goes on behind the hint, so that what is missing shows as a hole. */
static uint64_t recover(void) {
  uint64_t hint = read_hint(), last = hint;
  if (hint && !holds(hint)) {
    say("LOST record %llu: it was durable and is not there", (unsigned long long)hint);
    serve_line(0, "LOST record n=%llu", (unsigned long long)hint);
  }
  while (holds(last + 1)) {
    last++;
  }
  return last;
}

bool log_open(void) {
  block = aligned_alloc(RECORD_BYTES, RECORD_BYTES);
  batch = aligned_alloc(RECORD_BYTES, RECORD_BYTES * MAX_DEPTH);
  uint64_t disk = 0;
  for (char letter = 'a'; letter <= 'f'; letter++) {
    char path[16];
    snprintf(path, sizeof path, "/dev/vd%c", letter);
    int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &disk) || !(the_log.base = log_start_of(fd, disk))) {
      close(fd);
      continue;
    }
    the_log.fd = fd;
    uint64_t area = disk - the_log.base;
    bool there = read_block(0) && block->magic == SUPER_MAGIC && block->crc == crc_of(block);
    if (there) {
      the_log.id = block->log_id;
      the_log.slots = block->number;
    } else if (!format(area)) {
      log_report_error("format", 0, errno);
    }
    if (the_log.slots == 0 || (the_log.slots + FIRST_SLOT_BLOCK) * RECORD_BYTES > area) {
      say("%s: the log has %llu slots, more than the disk holds: was the disk cut?", path, (unsigned long long)the_log.slots);
      the_log.fd = -1;
      return false;
    }
    announced = recover();
    say("log %016llx on %s: %llu slots, %s, boot %llu, last record %llu", (unsigned long long)the_log.id, path,
        (unsigned long long)the_log.slots, there ? "found" : "new", (unsigned long long)the_log.boot, (unsigned long long)announced);
    return true;
  }
  say("no disk with a log partition: the write log stays off");
  return false;
}

/* Writes records from first on, all in flight at once; false if one failed. */
static bool write_batch(aio_context_t context, uint64_t first, long n) {
  struct iocb blocks[MAX_DEPTH] = {0}, *list[MAX_DEPTH];
  struct io_event events[MAX_DEPTH];
  for (long i = 0; i < n; i++) {
    make_record(&batch[i], first + i);
    blocks[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = the_log.fd, .aio_buf = (uintptr_t)&batch[i],
                              .aio_nbytes = RECORD_BYTES, .aio_offset = slot_offset(&the_log, first + i), .aio_data = first + i};
    list[i] = &blocks[i];
  }
  bool good = true;
  for (long sent = 0; sent < n;) {
    long more = syscall(SYS_io_submit, context, n - sent, list + sent);
    if (more <= 0) {
      log_report_error("submit", first + sent, errno);
      n = sent;
      good = false;
      break;
    }
    sent += more;
  }
  for (long done = 0; done < n;) {
    long got = syscall(SYS_io_getevents, context, 1, n - done, events, 0);
    for (long i = 0; i < got; i++) {
      if (events[i].res != RECORD_BYTES) {
        log_report_error("write", events[i].data, events[i].res < 0 ? -events[i].res : EIO);
        good = false;
      }
    }
    done += got > 0 ? got : 0;
  }
  return good;
}

/* Something that was announced, read again now and then: a stale or foreign block must not stay unseen until somebody verifies. */
static void read_back(uint64_t last) {
  uint64_t span = last < the_log.slots - MAX_DEPTH ? last : the_log.slots - MAX_DEPTH;
  uint64_t number = last - clock_ns(CLOCK_BOOTTIME) / 1000 % (span ? span : 1);
  if (number && !holds(number)) {
    const char *fault = record_fault(block, &the_log);
    io_errors++;
    say("BADREAD n=%llu: %s", (unsigned long long)number, fault ? fault : "another number");
    serve_line(0, "IOERROR read back n=%llu: %s", (unsigned long long)number, fault ? fault : "another number");
  }
}

static void *write_forever(void *unused) {
  (void)unused;
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, MAX_DEPTH, &context)) {
    log_report_error("set-up of asynchronous I/O", 0, errno);
    return 0;
  }
  uint64_t last = announced, hinted = 0, batches = 0;
  write_hint(last);
  uint64_t due = clock_ns(CLOCK_MONOTONIC);
  for (;;) {
    long per_second = rate, n = depth;
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (!per_second || now < due) {
      nanosleep(&(struct timespec){.tv_nsec = per_second && due - now < 50000000 ? (long)(due - now) : 50000000}, 0);
      continue;
    }
    /* a pause is not made up for by a rush */
    due = (now - due > 100000000 ? now : due) + n * 1000000000ull / per_second;
    if (last - hinted >= HINT_EVERY) {
      write_hint(hinted = last);
    }
    bool good = write_batch(context, last + 1, n);
    if (good && fdatasync(the_log.fd)) {
      log_report_error("flush", last + n, errno);
      good = false;
    }
    if (!good) { /* nothing of this batch is announced; it is written anew, from the beginning */
      sleep(1);
      continue;
    }
    last += n;
    announced = last;
    serve_wake();
    if (++batches % READ_BACK_EVERY == 0) {
      read_back(last);
    }
  }
  return 0;
}

void log_start(void) {
  pthread_t thread;
  pthread_create(&thread, 0, write_forever, 0);
}
