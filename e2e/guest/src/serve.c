/* All sockets, in one thread. A client that does not read is closed when its buffer is full; nothing here waits for anybody. */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CLIENTS 96
#define OUT_BYTES 32768
#define LINE_BYTES 256
#define MAX_REPLIES 256
#define MAX_SUBSCRIBERS 16
#define SUBSCRIPTION_SECONDS 10
#define SEQUENCE_RATE 100
#define MAX_SEQUENCE_RATE 100000
/* A client that vanished without a word is given up after this. */
#define USER_TIMEOUT_MS 30000
#define MAX_BUTTONS 4

static const int PORTS[] = {PORT_SEQUENCE, PORT_ECHO, PORT_LOG, PORT_VERIFY, PORT_CONTROL, PORT_HTTP};
enum { PORT_COUNT = sizeof PORTS / sizeof *PORTS };

static struct client {
  int fd, port;
  uint64_t id;
  size_t in_length, out_length;
  char in[LINE_BYTES], out[OUT_BYTES];
  uint64_t next; /* of the sequence stream */
  double rate, credit;
  struct http http;
  bool ends; /* when all was sent */
} clients[MAX_CLIENTS];
static int client_count;
static uint64_t last_id;

static struct subscriber {
  struct sockaddr_in address;
  double until;
} subscribers[MAX_SUBSCRIBERS];

static struct reply {
  uint64_t client;
  char text[400];
} replies[MAX_REPLIES];
static int reply_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int wake_fd, listeners[PORT_COUNT], udp_log, udp_echo, buttons[MAX_BUTTONS], button_count;
static uint64_t sent; /* the last announcement that was sent */

void serve_wake(void) { eventfd_write(wake_fd, 1); }

void serve_line(uint64_t client, const char *format, ...) {
  va_list args;
  va_start(args, format);
  pthread_mutex_lock(&lock);
  if (reply_count < MAX_REPLIES) { /* more at once is only possible for errors, which are counted as well */
    struct reply *reply = &replies[reply_count++];
    reply->client = client;
    vsnprintf(reply->text, sizeof reply->text, format, args);
  }
  pthread_mutex_unlock(&lock);
  va_end(args);
  serve_wake();
}

static int open_socket(int type, int port) {
  int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || (type == SOCK_STREAM && listen(fd, 64))) {
    say("port %d: %s", port, strerror(errno));
  }
  return fd;
}

/* Before anything reports: the queue must be there. */
void serve_open(void) {
  wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  for (int i = 0; i < PORT_COUNT; i++) {
    listeners[i] = open_socket(SOCK_STREAM, PORTS[i]);
  }
  udp_log = open_socket(SOCK_DGRAM, PORT_LOG);
  udp_echo = open_socket(SOCK_DGRAM, PORT_ECHO);
  button_count = power_button_open(buttons, MAX_BUTTONS);
}

static void drop(struct client *client) {
  if (client->fd >= 0) {
    close(client->fd);
  }
  client->fd = -1;
}

static void flush_out(struct client *client) {
  while (client->fd >= 0 && client->out_length) {
    ssize_t n = send(client->fd, client->out, client->out_length, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
      drop(client);
    }
    if (n <= 0) {
      return;
    }
    memmove(client->out, client->out + n, client->out_length -= n);
  }
  if (client->ends) {
    drop(client);
  }
}

static bool put(struct client *client, const char *text, size_t length) {
  if (client->fd < 0 || client->out_length + length > OUT_BYTES) {
    return false;
  }
  memcpy(client->out + client->out_length, text, length);
  client->out_length += length;
  return true;
}

static void put_line(struct client *client, const char *text) {
  size_t length = strlen(text);
  if (!put(client, text, length) || !put(client, "\n", 1)) {
    drop(client); /* a line may be missed by nobody who stays */
  }
}

static void greet(struct client *client) {
  char line[256];
  if (client->port == PORT_LOG) {
    snprintf(line, sizeof line, "HELLO boot=%s log=%016llx boots=%llu last=%llu ioerrors=%llu", boot_id, (unsigned long long)the_log.id,
             (unsigned long long)the_log.boot, (unsigned long long)sent, (unsigned long long)log_io_errors());
    put_line(client, line);
  }
}

static void accept_all(int listener, int port) {
  for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    if (client_count == MAX_CLIENTS) {
      close(fd);
      continue;
    }
    int one = 1, timeout = USER_TIMEOUT_MS, idle = 10;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    struct client *client = &clients[client_count++];
    client->fd = fd;
    client->port = port;
    client->id = ++last_id;
    client->in_length = client->out_length = 0;
    client->next = 1;
    client->rate = SEQUENCE_RATE;
    client->credit = 1;
    client->http = (struct http){0};
    client->ends = false;
    greet(client);
    flush_out(client);
  }
}

static void line_of(struct client *client, char *line) {
  char answer[512];
  long rate;
  if (client->port == PORT_CONTROL || client->port == PORT_VERIFY) {
    control_line(client->id, line);
  } else if (client->port == PORT_SEQUENCE && sscanf(line, "rate %ld", &rate) == 1) {
    client->rate = rate < 1 ? 1 : rate > MAX_SEQUENCE_RATE ? MAX_SEQUENCE_RATE : rate;
  } else if (client->port == PORT_HTTP && !client->ends) {
    int length = http_line(&client->http, line, answer, sizeof answer);
    if (length && !put(client, answer, length)) {
      drop(client); /* asks on and on, and reads nothing */
    }
    client->ends = length && client->http.last;
  }
}

static void read_from(struct client *client) {
  if (client->port == PORT_ECHO) {
    char buffer[4096];
    size_t room = OUT_BYTES - client->out_length;
    ssize_t n = recv(client->fd, buffer, room < sizeof buffer ? room : sizeof buffer, 0);
    if (n > 0) {
      put(client, buffer, n);
    } else if (n == 0 || errno != EAGAIN) {
      drop(client);
    }
    return;
  }
  ssize_t n = recv(client->fd, client->in + client->in_length, LINE_BYTES - 1 - client->in_length, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) {
    drop(client);
    return;
  }
  client->in_length += n > 0 ? n : 0;
  client->in[client->in_length] = 0;
  for (char *end; (end = strchr(client->in, '\n'));) {
    *end = 0;
    if (end > client->in && end[-1] == '\r') {
      end[-1] = 0;
    }
    line_of(client, client->in);
    client->in_length -= end + 1 - client->in;
    memmove(client->in, end + 1, client->in_length + 1);
  }
  if (client->in_length == LINE_BYTES - 1 || strlen(client->in) < client->in_length) {
    put_line(client, "ERROR a line holds at most 254 bytes of text");
    flush_out(client);
    drop(client);
  }
}

static void read_datagrams(void) {
  char buffer[2048];
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  for (ssize_t n; (n = recvfrom(udp_echo, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length)) >= 0;) {
    sendto(udp_echo, buffer, n, 0, (struct sockaddr *)&from, length);
  }
  /* any datagram to the log's port subscribes its sender for a while: after a reboot the next one does so again, without a connection */
  while (recvfrom(udp_log, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length) >= 0) {
    struct subscriber *place = 0;
    for (int i = 0; i < MAX_SUBSCRIBERS; i++) {
      struct subscriber *s = &subscribers[i];
      bool same = s->address.sin_addr.s_addr == from.sin_addr.s_addr && s->address.sin_port == from.sin_port;
      if (same || (!place && s->until < up_seconds())) {
        place = s;
      }
      if (same) {
        break;
      }
    }
    if (place) {
      *place = (struct subscriber){from, up_seconds() + SUBSCRIPTION_SECONDS};
    }
  }
}

static void announce(void) {
  char line[32];
  for (uint64_t last = log_announced(); sent < last;) {
    int length = snprintf(line, sizeof line, "%llu", (unsigned long long)++sent);
    for (int i = 0; i < client_count; i++) {
      if (clients[i].port == PORT_LOG && clients[i].fd >= 0) {
        put_line(&clients[i], line);
      }
    }
    for (int i = 0; i < MAX_SUBSCRIBERS; i++) {
      if (subscribers[i].until >= up_seconds()) {
        sendto(udp_log, line, length, 0, (struct sockaddr *)&subscribers[i].address, sizeof subscribers[i].address);
      }
    }
  }
}

static void send_replies(void) {
  static struct reply taken[MAX_REPLIES];
  pthread_mutex_lock(&lock);
  int n = reply_count;
  memcpy(taken, replies, n * sizeof *replies);
  reply_count = 0;
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < client_count; k++) {
      bool to = taken[i].client ? clients[k].id == taken[i].client : clients[k].port == PORT_LOG;
      if (to && clients[k].fd >= 0) {
        put_line(&clients[k], taken[i].text);
      }
    }
  }
}

/* The sequence waits for a slow reader: a gap in it can only come from somewhere else. */
static bool advance_sequences(double seconds) {
  bool any = false;
  char line[32];
  for (int i = 0; i < client_count; i++) {
    struct client *client = &clients[i];
    if (client->port != PORT_SEQUENCE || client->fd < 0) {
      continue;
    }
    any = true;
    client->credit += seconds * client->rate;
    double most = client->rate > 50 ? client->rate / 10 : 5;
    client->credit = client->credit > most ? most : client->credit;
    for (; client->credit >= 1; client->credit--) {
      int length = snprintf(line, sizeof line, "%llu\n", (unsigned long long)client->next);
      if (!put(client, line, length)) {
        break;
      }
      client->next++;
    }
  }
  return any;
}

static void forget_dropped(void) {
  int kept = 0;
  for (int i = 0; i < client_count; i++) {
    if (clients[i].fd >= 0) {
      if (kept != i) {
        clients[kept] = clients[i];
      }
      kept++;
    }
  }
  client_count = kept;
}

void serve_forever(void) {
  static struct pollfd polled[1 + PORT_COUNT + 2 + MAX_BUTTONS + MAX_CLIENTS];
  const int fixed = 1 + PORT_COUNT + 2 + button_count;
  double before = up_seconds(), ticked = 0;
  sent = log_announced();
  bool sequences = false;
  for (;;) {
    int n = 0;
    polled[n++] = (struct pollfd){wake_fd, POLLIN, 0};
    for (int i = 0; i < PORT_COUNT; i++) {
      polled[n++] = (struct pollfd){listeners[i], POLLIN, 0};
    }
    polled[n++] = (struct pollfd){udp_log, POLLIN, 0};
    polled[n++] = (struct pollfd){udp_echo, POLLIN, 0};
    for (int i = 0; i < button_count; i++) {
      polled[n++] = (struct pollfd){buttons[i], POLLIN, 0};
    }
    for (int i = 0; i < client_count; i++) {
      bool full = clients[i].port == PORT_ECHO && clients[i].out_length == OUT_BYTES;
      polled[n++] = (struct pollfd){clients[i].fd, (full ? 0 : POLLIN) | (clients[i].out_length ? POLLOUT : 0), 0};
    }
    poll(polled, n, sequences ? 5 : 200);
    int polled_clients = n - fixed;
    eventfd_t ignored;
    eventfd_read(wake_fd, &ignored);
    for (int i = 0; i < polled_clients; i++) {
      if (polled[fixed + i].revents & (POLLIN | POLLHUP | POLLERR)) {
        read_from(&clients[i]);
      }
    }
    for (int i = 0; i < PORT_COUNT; i++) {
      if (polled[1 + i].revents) {
        accept_all(listeners[i], PORTS[i]);
      }
    }
    for (int i = 0; i < button_count; i++) {
      power_button_read(buttons[i]);
    }
    read_datagrams();
    announce();
    send_replies();
    double now = up_seconds();
    sequences = advance_sequences(now - before);
    before = now;
    for (int i = 0; i < client_count; i++) {
      flush_out(&clients[i]);
    }
    forget_dropped();
    if (now - ticked > 0.1) {
      net_tick();
      while (waitpid(-1, 0, WNOHANG) > 0) {
      }
      ticked = now;
    }
  }
}
