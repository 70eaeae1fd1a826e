#include "guest.h"

#include <signal.h>
#include <sys/wait.h>

struct settings settings = {.log_rate = 200, .log_depth = 1};

int main(void) {
  setup_mounts();
  stage("init");
  setup_modules();
  setup_command_line();
  stage("modules");
  net_up_all();
  if (!cidata_apply()) {
    net_dhcp_where_needed();
  }
  stage("network");
  signal(SIGPIPE, SIG_IGN);
  serve_open();
  if (log_open()) {
    log_start();
  }
  stage("log");
  memory_start();
  stage("running");
  serve_forever();
}
