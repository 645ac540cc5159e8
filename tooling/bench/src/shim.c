/* Preloaded into an arm: a flush takes PRISM_BENCH_FSYNC_US microseconds and does nothing else. */
#include <stdlib.h>
#include <time.h>

static int flush(void) {
  const char *text = getenv("PRISM_BENCH_FSYNC_US");
  long microseconds = text ? atol(text) : 0;
  struct timespec delay = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&delay, NULL);
  return 0;
}

int fsync(int file) { (void)file; return flush(); }
int fdatasync(int file) { (void)file; return flush(); }
