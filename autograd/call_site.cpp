#include "autograd/call_site.hpp"

#if defined(__linux__) && __has_include(<execinfo.h>)

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace autograd {

namespace {

struct Frame {
  std::string file;     ///< the program or library
  std::string address;  ///< within it, in hexadecimal
};

struct Place {
  std::string function, source;  ///< "model(Tape&)", "model.cpp:12"; empty where unknown
};

Frame frame_of(void* return_address) {
  const auto at = reinterpret_cast<std::uintptr_t>(return_address) - 1;  // within the call
  Dl_info info;
  if (!dladdr(return_address, &info) || !info.dli_fbase) return {};
  const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  const bool moved = static_cast<const ElfW(Ehdr)*>(info.dli_fbase)->e_type == ET_DYN;
  char text[2 * sizeof(base) + 3];
  std::snprintf(text, sizeof text, "0x%zx", static_cast<std::size_t>(moved ? at - base : at));
  std::error_code error;
  // The program itself is known by the name it was called by, which need not be a path.
  const bool path = std::string_view(info.dli_fname).find('/') != std::string_view::npos &&
                    std::filesystem::exists(info.dli_fname, error);
  return {path ? info.dli_fname : std::filesystem::read_symlink("/proc/self/exe", error).string(), text};
}

std::string quoted(const std::string& path) {
  std::string result = "'";
  for (const char c : path) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// The functions at these addresses of a file, the innermost inlined one first: two lines for each.
std::vector<Place> places_of(const std::string& file, const std::string& address) {
  const std::string command = "addr2line -C -f -i -e " + quoted(file) + " " + address + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  std::vector<Place> places;
  if (!output) return places;
  std::string line;
  bool name = true;
  for (int c; (c = std::fgetc(output.get())) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (line.starts_with("??")) line.clear();
    if (name)
      places.push_back({line, {}});
    else if (!places.empty())
      places.back().source = line.substr(0, line.find(" ("));  // without a discriminator
    name = !name;
    line.clear();
  }
  return places;
}

/// Whether a demangled name is one of this library, or of a library that it calls the program through.
bool ours(const std::string& function) {
  std::string plain;  // without template arguments
  int depth = 0;
  for (std::size_t k = 0; k < function.size() && (function[k] != '(' || depth > 0); ++k) {
    if (function[k] == '<') ++depth;
    if (depth == 0) plain += function[k];
    if (function[k] == '>') --depth;
  }
  const std::string_view name = std::string_view(plain).substr(plain.rfind(' ') + 1);
  return name.starts_with("autograd::") || name.starts_with("nn::") || name.starts_with("std::");
}

}  // namespace

[[gnu::noinline]] CallSite call_site() {
  CallSite site{};
  const int count = backtrace(site.data(), static_cast<int>(site.size()));
  std::fill(site.begin() + count, site.end(), nullptr);
  return site;
}

std::string to_string(const CallSite& site) {
  std::string first;
  bool inside = false;  // the innermost frames may be those of a sanitizer that stands in for backtrace()
  for (void* const address : site) {
    if (!address) break;
    const Frame frame = frame_of(address);
    if (frame.file.empty()) continue;
    if (first.empty()) first = std::filesystem::path(frame.file).filename().string() + "+" + frame.address;
    for (const Place& place : places_of(frame.file, frame.address)) {
      if (place.function.empty()) continue;
      if (!ours(place.function) && inside)
        return place.function + (place.source.empty() ? "" : " (" + place.source + ")");
      inside |= ours(place.function);
    }
  }
  return first;
}

}  // namespace autograd

#else

namespace autograd {

CallSite call_site() { return {}; }
std::string to_string(const CallSite&) { return {}; }

}  // namespace autograd

#endif
