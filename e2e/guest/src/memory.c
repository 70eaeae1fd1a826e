#include "guest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WORDS 512
#define PAGE_BYTES 4096L
#define MAX_MIB 65536L
/* What the kernel and this program keep for themselves. */
#define SPARE_MIB 24

static uint64_t *pages;
static long page_count;
static atomic_long rate_mib;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A page holds its number, how often it was written, and a sequence that follows from both. */
static uint64_t seed(uint64_t index, uint64_t generation) {
  return (index + 1) * 0x9E3779B97F4A7C15ull ^ generation * 0xD1B54A32D192ED03ull;
}

static uint64_t next(uint64_t x) {
  x ^= x << 13;
  x ^= x >> 7;
  return x ^ x << 17;
}

static void write_page(long index, uint64_t generation) {
  uint64_t *page = pages + index * WORDS, x = seed(index, generation);
  page[0] = index;
  page[1] = generation;
  for (int i = 2; i < WORDS; i++) {
    page[i] = x = next(x);
  }
}

static bool page_is_right(long index) {
  const uint64_t *page = pages + index * WORDS;
  uint64_t x = seed(index, page[1]);
  for (int i = 2; i < WORDS; i++) {
    if (page[i] != (x = next(x))) {
      return false;
    }
  }
  return page[0] == (uint64_t)index;
}

static long available_mib(void) {
  FILE *file = fopen("/proc/meminfo", "r");
  char line[128];
  long kib = 0;
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "MemAvailable: %ld", &kib) == 1) {
      break;
    }
  }
  if (file) {
    fclose(file);
  }
  return kib / 1024;
}

/* Grows or shrinks to so many MiB; less when there is less. Returns what there is. */
long memory_fill(long mib) {
  long most = available_mib() - SPARE_MIB + memory_filled();
  mib = mib < 0 ? 0 : mib > MAX_MIB ? MAX_MIB : mib;
  mib = mib > most ? (most > 0 ? most : 0) : mib;
  long wanted = mib * 1024 * 1024 / PAGE_BYTES;
  pthread_mutex_lock(&lock);
  if (wanted < page_count) {
    madvise(pages + wanted * WORDS, (page_count - wanted) * PAGE_BYTES, MADV_DONTNEED);
  }
  for (long i = page_count; i < wanted; i++) {
    write_page(i, 0);
  }
  page_count = wanted;
  pthread_mutex_unlock(&lock);
  return mib;
}

long memory_filled(void) { return page_count * PAGE_BYTES / 1024 / 1024; }

long memory_dirty(long mib_per_s) {
  mib_per_s = mib_per_s < 0 ? 0 : mib_per_s > 10000 ? 10000 : mib_per_s;
  atomic_store(&rate_mib, mib_per_s);
  return mib_per_s;
}

static void *dirty_forever(void *unused) {
  (void)unused;
  long at = 0;
  uint64_t generation = 1;
  double debt = 0, before = up_seconds();
  for (;;) {
    long rate = atomic_load(&rate_mib);
    nanosleep(&(struct timespec){.tv_nsec = rate ? 10000000 : 100000000}, 0);
    double now = up_seconds();
    debt += (now - before) * rate * 256;
    before = now;
    /* after a pause of the machine: at most a tenth of a second is made up for */
    debt = debt > rate * 26 ? rate * 26 : debt;
    pthread_mutex_lock(&lock);
    for (; debt >= 1 && page_count; debt--) {
      at = at < page_count ? at : 0;
      generation += at == 0;
      write_page(at++, generation);
    }
    pthread_mutex_unlock(&lock);
  }
  return 0;
}

void memory_check(uint64_t client) {
  long bad = 0, i = 0;
  pthread_mutex_lock(&lock);
  for (; i < page_count; i++) {
    bad += !page_is_right(i);
    if (i % 1024 == 1023) { /* lets the writer go on */
      pthread_mutex_unlock(&lock);
      pthread_mutex_lock(&lock);
    }
  }
  pthread_mutex_unlock(&lock);
  serve_line(client, "%s memory pages=%ld bad=%ld", bad ? "FAIL" : "OK", i, bad);
}

void memory_start(void) {
  pages = mmap(0, MAX_MIB << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) {
    say("no address space for memory pages");
    return;
  }
  memory_dirty(settings.dirty_mib_per_s);
  memory_fill(settings.fill_mib);
  pthread_t thread;
  pthread_create(&thread, 0, dirty_forever, 0);
}
