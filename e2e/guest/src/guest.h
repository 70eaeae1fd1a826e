/* PairVM's test guest: process 1 of a small virtual machine that says loudly when its disk, memory or network lies. See ../README.md. */
#ifndef GUEST_H
#define GUEST_H
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PORT_SEQUENCE = 7001, PORT_ECHO = 7002, PORT_LOG = 7003, PORT_VERIFY = 7004, PORT_CONTROL = 7005, PORT_HTTP = 7006 };

/* What the machine was told by its kernel command line ("pairvm.KEY=VALUE") or by user-data ("# pairvm-guest: KEY=VALUE ..."). */
struct settings {
  long log_rate;  /* records a second, 0: paused */
  long log_depth; /* records in flight before one flush */
  long fill_mib;
  long dirty_mib_per_s;
  char address[128]; /* "eth0,192.0.2.5/24[,GATEWAY]" */
};
extern struct settings settings;
bool settings_take(const char *key, const char *value);

/* setup.c */
void setup_mounts(void);
void setup_modules(void);
void setup_command_line(void);
extern char boot_id[40];
double up_seconds(void);
void stage(const char *name);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int write_file(const char *path, const char *text);

/* cidata.c: the NoCloud seed disk, if there is one. Returns true when it gave a static network configuration. */
bool cidata_apply(void);

/* net.c */
void net_up_all(void);
bool net_set_address(const char *interface, const char *address_and_prefix, const char *gateway);
void net_dhcp_where_needed(void);
/* Announces new addresses by gratuitous ARP; to be called often. */
void net_tick(void);
bool net_interface_of_mac(const char *mac, char *name, size_t size);

/* log.c: the self-checking write log. */
#define RECORD_BYTES 4096
#define MAX_DEPTH 64
struct record {
  uint64_t magic, log_id, number, boot, up_ns, real_ns;
  uint64_t fill[(RECORD_BYTES - 7 * 8) / 8];
  uint64_t crc;
};
struct log {
  int fd; /* O_DIRECT */
  uint64_t base, slots, id, boot;
};
extern struct log the_log;
bool log_open(void);
void log_start(void);
/* Highest record that is known to be durable and was, or is about to be, announced. */
uint64_t log_announced(void);
/* 0, or what is wrong with the record as text for people. */
const char *record_fault(const struct record *record, const struct log *log);
uint64_t slot_offset(const struct log *log, uint64_t number);
long log_set_rate(long per_second);
long log_set_depth(long depth);
uint64_t log_io_errors(void);
/* Counts and reports an error on the log's stream and the console. */
void log_report_error(const char *what, uint64_t number, int error);

/* verify.c; both reply to the client with one or more lines. */
void verify_log(uint64_t client, uint64_t from);
void verify_get(uint64_t client, uint64_t number);

/* memory.c: pages that know what they should hold. */
long memory_fill(long mib);
long memory_dirty(long mib_per_s);
void memory_check(uint64_t client);
void memory_start(void);
long memory_filled(void);

/* serve.c */
void serve_open(void);
void serve_forever(void) __attribute__((noreturn));
/* From any thread: the main loop has announcements, or replies, to send. */
void serve_wake(void);
/* From any thread: a line to one client, or to every client of the write log when client is 0. */
void serve_line(uint64_t client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* http.c: what is known of the request that a connection is reading. */
struct http {
  bool asked; /* the request line was read, its headers were not all */
  bool last;  /* the connection ends after the answer */
  int status;
  uint64_t number;
};
/* Takes one line of a request, without its end; returns the length of the answer, which is 0 until the request is complete. */
int http_line(struct http *http, const char *line, char *answer, size_t size);

/* control.c: carries out a line of the control or verify port. */
void control_line(uint64_t client, char *line);

/* power.c */
void power_reboot(void) __attribute__((noreturn));
void power_off(void) __attribute__((noreturn));
void power_panic(void);
int power_button_open(int *fds, int max);
/* Ends the machine when the button was pressed. */
void power_button_read(int fd);

#endif
