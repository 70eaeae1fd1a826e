/* Reads the write log back from the disk, around the page cache. */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_RECORDS 128
#define MAX_LISTED 20
/* A record that is being overwritten while it is read may look torn. */
#define TRIES 5

struct findings {
  uint64_t checked, holes, bad_crc, io_errors;
};

static void list(uint64_t client, struct findings *findings, const char *what, uint64_t number, uint64_t found) {
  if (findings->holes + findings->bad_crc + findings->io_errors <= MAX_LISTED) {
    serve_line(client, "%s n=%llu found=%llu", what, (unsigned long long)number, (unsigned long long)found);
  }
}

/* Record number must be in its slot, or a younger one that took the slot since. */
static bool is_good(const struct record *record, uint64_t number) {
  return !record_fault(record, &the_log) && record->number >= number && record->number <= log_announced() + MAX_DEPTH &&
         (record->number - number) % the_log.slots == 0;
}

static void check(uint64_t client, struct findings *findings, struct record *record, uint64_t number) {
  findings->checked++;
  for (int i = 0; i < TRIES; i++) {
    if (is_good(record, number)) {
      return;
    }
    if (pread(the_log.fd, record, RECORD_BYTES, slot_offset(&the_log, number)) != RECORD_BYTES) {
      findings->io_errors++;
      log_report_error("read", number, errno);
      list(client, findings, "ioerror", number, 0);
      return;
    }
  }
  const char *fault = record_fault(record, &the_log);
  if (fault && !strcmp(fault, "bad crc")) {
    findings->bad_crc++;
    list(client, findings, "badcrc", number, record->number);
  } else {
    findings->holes++;
    list(client, findings, "hole", number, fault ? 0 : record->number);
  }
}

void verify_log(uint64_t client, uint64_t from) {
  struct record *records = aligned_alloc(RECORD_BYTES, CHUNK_RECORDS * RECORD_BYTES);
  if (the_log.fd < 0 || !records) {
    serve_line(client, "FAIL log there is no log");
    free(records);
    return;
  }
  double began = up_seconds();
  uint64_t last = log_announced(), first = last > the_log.slots ? last - the_log.slots + 1 : 1;
  first = from > first ? from : first;
  struct findings findings = {0};
  if (first > last) {
    /* the caller knows of a record that this log never reached */
    serve_line(client, "FAIL log first=%llu last=%llu checked=0: the log ends before the record asked for", (unsigned long long)first,
               (unsigned long long)last);
    free(records);
    return;
  }
  for (uint64_t n = first; n <= last;) {
    uint64_t run = the_log.slots - n % the_log.slots;
    run = run > CHUNK_RECORDS ? CHUNK_RECORDS : run;
    run = run > last - n + 1 ? last - n + 1 : run;
    if (pread(the_log.fd, records, run * RECORD_BYTES, slot_offset(&the_log, n)) != (ssize_t)(run * RECORD_BYTES)) {
      memset(records, 0, run * RECORD_BYTES); /* each is read again alone */
    }
    for (uint64_t i = 0; i < run; i++) {
      check(client, &findings, &records[i], n + i);
    }
    n += run;
  }
  free(records);
  bool good = !findings.holes && !findings.bad_crc && !findings.io_errors;
  serve_line(client, "%s log first=%llu last=%llu checked=%llu holes=%llu badcrc=%llu ioerrors=%llu seconds=%.2f", good ? "OK" : "FAIL",
             (unsigned long long)first, (unsigned long long)last, (unsigned long long)findings.checked, (unsigned long long)findings.holes,
             (unsigned long long)findings.bad_crc, (unsigned long long)findings.io_errors, up_seconds() - began);
}

void verify_get(uint64_t client, uint64_t number) {
  struct record *record = aligned_alloc(RECORD_BYTES, RECORD_BYTES);
  if (the_log.fd < 0 || !record || pread(the_log.fd, record, RECORD_BYTES, slot_offset(&the_log, number)) != RECORD_BYTES) {
    serve_line(client, "FAIL record n=%llu: %s", (unsigned long long)number, the_log.fd < 0 ? "there is no log" : strerror(errno));
  } else if (record_fault(record, &the_log) || record->number != number) {
    const char *fault = record_fault(record, &the_log);
    serve_line(client, "FAIL record n=%llu: %s", (unsigned long long)number, fault ? fault : "the slot holds another number");
  } else {
    serve_line(client, "OK record n=%llu boot=%llu up_ms=%llu unix_ms=%llu", (unsigned long long)number, (unsigned long long)record->boot,
               (unsigned long long)record->up_ns / 1000000, (unsigned long long)record->real_ns / 1000000);
  }
  free(record);
}
