// Saving replaces a file as a whole or not at all.
#include "nn/io/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <limits>
#include <sstream>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/save_load.hpp"

namespace fs = std::filesystem;
using autograd::Error;
using autograd::FormatError;
using autograd::ValueError;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using nn::io::Format;
using nn::io::load;
using nn::io::read_file;
using nn::io::replace_file;
using nn::io::save;
using saved::bytes_of;
using saved::Folder;
using saved::Small;
using saved::write_bytes;

namespace {

using Names = std::vector<std::string>;

/// No file of this process may grow beyond `bytes`, as on a full disk.
struct FileSizeLimit {
  rlimit old;

  explicit FileSizeLimit(rlim_t bytes) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, old.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, SIG_DFL);
  }
};

/// The rights of a user without any, where the test is run by root.
struct WithoutRights {
  bool was_root = geteuid() == 0;

  WithoutRights() {
    if (was_root) was_root = seteuid(65534) == 0;
  }
  ~WithoutRights() {
    if (was_root && seteuid(0) != 0) std::abort();
  }
};

}  // namespace

TEST_CASE("a file is written, replaced and read back") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  const std::string bytes("a\0\xFF\r\n", 5), longer(100000, 'x');
  replace_file(path, longer);
  CHECK(read_file(path) == longer);
  replace_file(path, bytes);
  CHECK(read_file(path) == bytes);
  CHECK(bytes_of(path) == bytes);
  replace_file(path, "");
  CHECK(read_file(path).empty());
  CHECK(folder.files() == Names{"file"});
}

TEST_CASE("a link stays a link, and permissions stay as they were") {
  const Folder folder;
  fs::create_directory(folder.path / "elsewhere");
  write_bytes(folder.path / "elsewhere" / "file", "old");
  fs::permissions(folder.path / "elsewhere" / "file", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(fs::path("elsewhere") / "file", folder.path / "link");
  replace_file(folder.path / "link", "new");
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(bytes_of(folder.path / "elsewhere" / "file") == "new");
  CHECK(fs::status(folder.path / "elsewhere" / "file").permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("where a file can not be written, everything is as it was") {
  const Folder folder;
  const fs::path path = folder.path / "weights.json";
  write_bytes(path, "old");

  SECTION("no such folder") {
    CHECK_THROWS_MATCHES(
        replace_file(folder.path / "none" / "file", "new"), Error,
        Message("can not write " + (folder.path / "none" / "file").string() + ": No such file or directory"));
  }
  SECTION("a folder that is a file") {
    CHECK_THROWS_WITH(replace_file(path / "file", "new"), ContainsSubstring("Not a directory"));
  }
  SECTION("a folder of that name") {
    fs::create_directory(folder.path / "sub");
    CHECK_THROWS_WITH(replace_file(folder.path / "sub", "new"), ContainsSubstring("not a regular file"));
    CHECK(fs::is_directory(folder.path / "sub"));
    fs::remove(folder.path / "sub");
  }
  SECTION("a pipe") {
    REQUIRE(mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
    CHECK_THROWS_WITH(replace_file(folder.path / "pipe", "new"), ContainsSubstring("not a regular file"));
    CHECK(fs::is_fifo(folder.path / "pipe"));
    fs::remove(folder.path / "pipe");
  }
  SECTION("no space is left") {
    const FileSizeLimit limit(1 << 16);
    CHECK_THROWS_WITH(replace_file(path, std::string(1 << 20, 'x')), ContainsSubstring("File too large"));
  }
  SECTION("a folder that may not be written") {
    fs::permissions(folder.path,
                    fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
    {
      const WithoutRights without;
      if (access(folder.path.c_str(), W_OK) != 0 || geteuid() != 0)
        CHECK_THROWS_WITH(replace_file(path, "new"), ContainsSubstring("Permission denied"));
    }
    fs::permissions(folder.path, fs::perms::owner_all);
  }
  CHECK(bytes_of(path) == "old");
  CHECK(folder.files() == Names{"weights.json"});
}

TEST_CASE("weights that are not finite are refused, and the old file stays") {
  const Folder folder;
  const fs::path path = folder.path / "weights.json";
  Small<double> model;
  save(model, path, {.format = Format::native});
  const std::string old = bytes_of(path);

  model.w.update([](auto& w) { w(1, 2) = std::numeric_limits<double>::quiet_NaN(); });
  CHECK_THROWS_MATCHES(save(model, path, {.format = Format::native}), ValueError,
                       Message("save (native): w is NaN at (1, 2), expected a finite number"));
  model.w.update([](auto& w) { w(1, 2) = 0, w(0, 1) = -std::numeric_limits<double>::infinity(); });
  CHECK_THROWS_MATCHES(save(model, path, {.format = Format::native}), ValueError,
                       Message("save (native): w is infinite at (0, 1), expected a finite number"));
  model.w.update([](auto& w) { w(0, 1) = 0; });
  model.s.update([](auto& s) { s() = std::numeric_limits<double>::quiet_NaN(); });
  CHECK_THROWS_MATCHES(save(model, path, {.format = Format::native}), ValueError,
                       Message("save (native): s is NaN at (), expected a finite number"));
  CHECK(bytes_of(path) == old);
  CHECK(folder.files() == Names{"weights.json"});
}

TEST_CASE("streams that fail") {
  Small<double> model;
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  CHECK_THROWS_AS(save(model, out, {.format = Format::native}), Error);
  std::istringstream in;
  in.setstate(std::ios::badbit);
  CHECK_THROWS_MATCHES(load(model, in, {.format = Format::native}), FormatError,
                       Message("can not read the stream: it failed"));
  if (fs::is_character_file("/dev/full")) {
    std::ofstream full("/dev/full");
    CHECK_THROWS_AS(save(model, full, {.format = Format::native}), Error);
  }
}

TEST_CASE("files that can not be read") {
  const Folder folder;
  Small<double> model;
  const std::string before = saved::state(model);
  const fs::path none = folder.path / "none.json";
  CHECK_THROWS_MATCHES(load(model, none, {.format = Format::native}), FormatError,
                       Message("can not read " + none.string() + ": No such file or directory"));
  CHECK_THROWS_MATCHES(load(model, folder.path, {.format = Format::native}), FormatError,
                       Message("can not read " + folder.path.string() + ": it is a folder"));
  write_bytes(folder.path / "bad.json", "{");
  CHECK_THROWS_WITH(
      load(model, folder.path / "bad.json", {.format = Format::native}),
      ContainsSubstring("load (native): " + (folder.path / "bad.json").string() + ", byte 1: syntax error"));
  CHECK_THROWS_WITH(nn::io::read_metadata(folder.path / "bad.json"),
                    ContainsSubstring("load (native): " + (folder.path / "bad.json").string() + ", byte 1: "));
  CHECK(saved::state(model) == before);
}
