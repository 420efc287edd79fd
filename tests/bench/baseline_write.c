/* What the disk itself can do with the same bytes: the baseline of the journal.
 *
 *   bench_baseline_write FILE BYTES BLOCK CHUNK
 *
 * Writes BYTES sequentially, BLOCK bytes a call, into a new file that is preallocated as the journal's segments are;
 * calls fdatasync behind each CHUNK bytes and at the end. The clock includes making and preallocating the file. Prints
 * one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"

static void fail(const char* what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: bench_baseline_write FILE BYTES BLOCK CHUNK\n");
    return 2;
  }
  const size_t bytes = strtoull(argv[2], NULL, 10);
  const size_t block = strtoull(argv[3], NULL, 10);
  const size_t chunk = strtoull(argv[4], NULL, 10);
  char* data = malloc(block);
  if (data == NULL || block == 0 || chunk == 0) fail("the block", ENOMEM);
  for (size_t i = 0; i < block; ++i) data[i] = (char)(i * 31 + i / 251);

  const double wall = wall_seconds();
  const double cpu = cpu_seconds();
  const int fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) fail(argv[1], errno);
  const int error = posix_fallocate(fd, 0, (off_t)bytes);
  if (error != 0) fail("posix_fallocate", error);
  size_t unsynced = 0;
  for (size_t done = 0; done < bytes;) {
    const size_t size = bytes - done < block ? bytes - done : block;
    const ssize_t got = pwrite(fd, data, size, (off_t)done);
    if (got < 0) fail("pwrite", errno);
    done += (size_t)got;
    unsynced += (size_t)got;
    if (unsynced < chunk && done < bytes) continue;
    if (fdatasync(fd) != 0) fail("fdatasync", errno);
    unsynced = 0;
  }
  printf("{\"bytes\": %zu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n", bytes, wall_seconds() - wall,
         cpu_seconds() - cpu);
  close(fd);
  free(data);
  return 0;
}
