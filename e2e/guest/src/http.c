/* HTTP/1.1 with keep-alive, as far as a test's client needs it: GET /N is answered by N, the uptime and the boot id. */
#include "guest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *phrase(int status) {
  return status == 200 ? "OK" : status == 404 ? "Not Found" : status == 405 ? "Method Not Allowed" : "Bad Request";
}

/* "GET /N HTTP/1.1" */
static void request_line(struct http *http, const char *line) {
  char method[8] = "", path[32] = "", version[16] = "", rest[2] = "";
  unsigned long long number = 0;
  int end = 0;
  *http = (struct http){.asked = true, .status = 200};
  if (sscanf(line, "%7s %31s %15s %1s", method, path, version, rest) != 3 || strncmp(version, "HTTP/1.", 7)) {
    http->status = 400;
  } else if (strcmp(method, "GET")) {
    http->status = 405;
  } else if (sscanf(path, "/%19llu%n", &number, &end) != 1 || path[end] || path[1] < '0' || path[1] > '9') {
    http->status = 404;
  }
  http->number = number;
  /* what follows such a request may be no request */
  http->last = http->status == 400 || http->status == 405 || !strcmp(version, "HTTP/1.0");
}

static void header(struct http *http, const char *line) {
  if (!strncasecmp(line, "content-length:", 15) || !strncasecmp(line, "transfer-encoding:", 18)) {
    http->status = 400; /* a body is not wanted, and would be taken for the next request */
    http->last = true;
  } else if (!strncasecmp(line, "connection:", 11) && strcasestr(line, "close")) {
    http->last = true;
  }
}

int http_line(struct http *http, const char *line, char *answer, size_t size) {
  if (!http->asked) {
    if (*line) {
      request_line(http, line);
    }
    return 0;
  }
  if (*line) {
    header(http, line);
    return 0;
  }
  http->asked = false;
  char body[128];
  int length = http->status == 200
                   ? snprintf(body, sizeof body, "n=%llu uptime=%.3f boot=%s\n", (unsigned long long)http->number, up_seconds(), boot_id)
                   : snprintf(body, sizeof body, "%s\n", phrase(http->status));
  return snprintf(answer, size, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", http->status, phrase(http->status),
                  length, http->last ? "Connection: close\r\n" : "", body);
}
