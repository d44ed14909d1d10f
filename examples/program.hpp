// How the examples end: whatever is thrown becomes a sentence and an exit status, and output that is lost is an error.
#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <string>

/// The exit status that `body` returns, or `failed` after an exception, with a sentence that begins with the name.
template <class Body>
int run_program(const char* name, int failed, const Body& body) {
  int status = failed;
  try {
    status = body();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: there is not enough memory\n", name);
  } catch (const std::exception& error) {
    const std::string text = error.what(), prefix = std::string(name) + ": ";
    std::fprintf(stderr, "%s%s\n", text.rfind(prefix, 0) == 0 ? "" : prefix.c_str(), text.c_str());
  }
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
  std::fprintf(stderr, "%s: the output can not be written\n", name);
  return status == 0 ? failed : status;
}
