// Preloaded into an agent: sets its wall clock back by an hour while the file HBAGENT_CLOCK_FILE exists. Waits for a
// time of that clock see the step, as they would in the kernel; the monotonic clock goes on as it is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const time_t kStep = 3600;
static const long kSlice = 20 * 1000 * 1000;  // ns

// Through the system call: the library's own function is this one.
static void real_time(struct timespec* now) {
  syscall(SYS_clock_gettime, CLOCK_REALTIME, now);
}

static void wall_clock(struct timespec* now) {
  real_time(now);
  const char* file = getenv("HBAGENT_CLOCK_FILE");
  if (file != NULL && access(file, F_OK) == 0) now->tv_sec -= kStep;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, clock, now);
  wall_clock(now);
  return 0;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec time;
  wall_clock(&time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  wall_clock(&now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec* now, int base) {
  if (base != TIME_UTC) return 0;
  wall_clock(now);
  return base;
}

// librdkafka waits for times of the wall clock: one that was set back makes a wait that has begun longer.
int cnd_timedwait(cnd_t* restrict condition, mtx_t* restrict mutex, const struct timespec* restrict deadline) {
  int (*wait)(cnd_t*, mtx_t*, const struct timespec*) = NULL;
  *(void**)&wait = dlsym(RTLD_NEXT, "cnd_timedwait");
  struct timespec now;
  wall_clock(&now);
  if (now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec)) {
    return thrd_timedout;
  }
  struct timespec until;
  real_time(&until);
  until.tv_nsec += kSlice;
  if (until.tv_nsec >= 1000 * 1000 * 1000) {
    until.tv_nsec -= 1000 * 1000 * 1000;
    ++until.tv_sec;
  }
  const int result = wait(condition, mutex, &until);
  return result == thrd_timedout ? thrd_success : result;  // a wake-up without reason, which callers must bear
}
