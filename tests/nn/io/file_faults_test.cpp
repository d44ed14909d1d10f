// Every call of the system fails once while files are read and replaced: an error, nothing lost, nothing left behind.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

#include "autograd/error.hpp"
#include "catch.hpp"
#include "models.hpp"
#include "nn/io/file.hpp"
#include "nn/io/save_load.hpp"

namespace fs = std::filesystem;
using autograd::Error;
using autograd::FormatError;
using Catch::Matchers::ContainsSubstring;
using nn::io::read_file;
using nn::io::replace_file;
using saved::bytes_of;
using saved::Folder;
using saved::write_bytes;

namespace {

using Names = std::vector<std::string>;

/// What happens at calls of the system while a test is about it.
struct Calls {
  bool watched = false;
  int count = 0, failing = 0;  ///< the call with this number fails
  std::function<void(const char* name, int descriptor)> before = {};

  bool fail(const char* name, int descriptor) {
    if (!watched) return false;
    if (before) before(name, descriptor);
    if (++count != failing) return false;
    errno = EIO;
    return true;
  }
} calls;

struct Watched {
  explicit Watched(Calls wanted) {
    calls = std::move(wanted);
    calls.watched = true;
  }
  ~Watched() { calls = {}; }
};

template <class Call>
Call* real(const char* name) {
  return reinterpret_cast<Call*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// In the place of the C library's.
extern "C" {
ssize_t write(int descriptor, const void* bytes, std::size_t count) {
  if (calls.fail("write", descriptor)) return -1;
  return real<decltype(write)>("write")(descriptor, bytes, calls.watched ? std::min<std::size_t>(count, 1000) : count);
}
ssize_t read(int descriptor, void* bytes, std::size_t count) {
  if (calls.fail("read", descriptor)) return -1;
  return real<decltype(read)>("read")(descriptor, bytes, count);
}
int fsync(int descriptor) { return calls.fail("fsync", descriptor) ? -1 : real<decltype(fsync)>("fsync")(descriptor); }
int fchmod(int descriptor, mode_t mode) {
  return calls.fail("fchmod", descriptor) ? -1 : real<decltype(fchmod)>("fchmod")(descriptor, mode);
}
int rename(const char* from, const char* to) {
  return calls.fail("rename", -1) ? -1 : real<decltype(rename)>("rename")(from, to);
}
}

TEST_CASE("whatever call fails while a file is replaced, nothing is lost and nothing is left behind") {
  const Folder folder;
  const fs::path path = folder.path / "file", before = folder.path / "file.previous";
  const bool keeps = GENERATE(false, true);
  const std::string contents(2500, 'n');  // three calls of write()
  Names seen;
  for (int failing = 1;; ++failing) {
    write_bytes(path, "old");
    if (keeps) write_bytes(before, "older");
    bool failed = false;
    {
      std::string last;
      const Watched watched({.failing = failing, .before = [&](const char* name, int) { last = name; }});
      try {
        replace_file(path, contents, keeps ? before : fs::path());
      } catch (const Error& error) {
        failed = true;
        CHECK_THAT(error.what(), ContainsSubstring("can not write " + path.string() + ": Input/output error"));
      }
      if (calls.count < failing) break;
      seen.push_back(last);
    }
    INFO("call " << failing << ", " << seen.back());
    CHECK(failed);
    // The last call is for the folder, when everything is in its place.
    CHECK(bytes_of(path) == (failing == (keeps ? 8 : 7) ? contents : "old"));
    CHECK(folder.files() == (keeps && failing != 7 ? Names{"file", "file.previous"} : Names{"file"}));
  }
  CHECK(seen == (keeps ? Names{"fchmod", "write", "write", "write", "fsync", "rename", "rename", "fsync"}
                       : Names{"fchmod", "write", "write", "write", "fsync", "rename", "fsync"}));
  CHECK(bytes_of(path) == contents);
}

TEST_CASE("whatever call fails while a file is read is an error") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  write_bytes(path, "bytes");
  for (int failing = 1; failing <= 2; ++failing) {
    const Watched watched({.failing = failing});
    CHECK_THROWS_WITH(read_file(path), "can not read " + path.string() + ": Input/output error");
  }
}

TEST_CASE("a file that grows or shrinks while it is read is an error") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  write_bytes(path, "bytes");
  const auto read_while = [&](const auto& change) {
    const Watched watched({.before = [&](const char*, int) {
      if (calls.count == 0) change();
    }});
    return read_file(path);
  };
  CHECK_THROWS_WITH(read_while([&] { REQUIRE(truncate(path.c_str(), 7) == 0); }), ContainsSubstring("it grows while"));
  CHECK_THROWS_WITH(read_while([&] { REQUIRE(truncate(path.c_str(), 2) == 0); }),
                    ContainsSubstring("it shrinks while"));
  CHECK_THROWS_WITH(read_while([&] { REQUIRE(truncate(path.c_str(), 0) == 0); }),
                    ContainsSubstring("it shrinks while"));
}

TEST_CASE("at no instant may others read what replaces a private file") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  const auto mode_after = [&](mode_t umask_wanted) {
    const mode_t old = umask(umask_wanted);
    std::vector<mode_t> modes;
    {
      const Watched watched({.before = [&](const char* name, int descriptor) {
        struct stat status;
        if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && name[0] != 'r')
          modes.push_back(status.st_mode & 0777);
      }});
      replace_file(path, "new");
    }
    umask(old);
    struct stat status;
    REQUIRE(stat(path.c_str(), &status) == 0);
    REQUIRE(!modes.empty());
    for (const mode_t mode : modes) CHECK((mode & ~status.st_mode) == 0);
    return status.st_mode & 07777;
  };
  CHECK(mode_after(027) == 0640);  // a new file
  fs::permissions(path, fs::perms(0600));
  CHECK(mode_after(0) == 0600);
  fs::permissions(path, fs::perms(0664));
  CHECK(mode_after(077) == 0664);
}

TEST_CASE("what somebody has put where a temporary file might be is left alone") {
  const Folder folder;
  const fs::path path = folder.path / "file", victim = folder.path / "victim";
  write_bytes(victim, "precious");
  fs::create_symlink(victim, folder.path / "file.tmp");
  replace_file(path, "new", folder.path / "file.previous");
  fs::remove(folder.path / "file.tmp");
  REQUIRE(mkfifo((folder.path / "file.tmp").c_str(), 0600) == 0);
  // These look like leftovers and are none: a link, a pipe, names of other files.
  const std::string digits = "0123456789abcdef";
  fs::create_symlink(victim, folder.path / ("file." + digits + ".tmp"));
  REQUIRE(mkfifo((folder.path / ("file.1" + digits.substr(1) + ".tmp")).c_str(), 0600) == 0);
  for (const std::string& name :
       Names{"file." + digits, "file." + digits + "0.tmp", "file_" + digits + ".tmp", "file.0123456789ABCDEF.tmp",
             "fil." + digits + ".tmp", "xfile." + digits + ".tmp"})
    write_bytes(folder.path / name, "");
  const Names all = folder.files();
  write_bytes(folder.path / ("file." + digits.substr(1) + "0.tmp"), "a leftover");
  replace_file(path, "newer");
  CHECK(bytes_of(victim) == "precious");
  CHECK(bytes_of(path) == "newer");
  CHECK(folder.files() == all);
}

TEST_CASE("links are followed, also one to nothing yet, and one to itself is an error") {
  const Folder folder;
  const fs::path link = folder.path / "link";
  fs::create_symlink("second", link);
  fs::create_symlink("file", folder.path / "second");
  replace_file(link, "new");
  CHECK(bytes_of(folder.path / "file") == "new");
  CHECK(folder.files() == Names{"file", "link", "second"});
  CHECK(fs::is_symlink(link));
  CHECK(fs::is_symlink(folder.path / "second"));
  fs::remove(folder.path / "second");
  fs::create_symlink("link", folder.path / "second");
  CHECK_THROWS_WITH(replace_file(link, "newer"), ContainsSubstring("Too many levels of symbolic links"));
  CHECK_THROWS_WITH(read_file(link), ContainsSubstring("Too many levels of symbolic links"));
  CHECK(folder.files() == Names{"file", "link", "second"});
}

TEST_CASE("what is no regular file is neither read nor replaced, nor waited for") {
  const Folder folder;
  const fs::path path = folder.path / "target";
  const auto refused = [&](const fs::path& path, const std::string& kind) {
    const auto type = fs::symlink_status(path).type();
    CHECK_THROWS_WITH(replace_file(path, "new"), ContainsSubstring(": it is " + kind + ", not a regular file"));
    CHECK_THROWS_WITH(read_file(path), ContainsSubstring(": it is " + kind));
    write_bytes(folder.path / "file", "old");
    CHECK_THROWS_WITH(replace_file(folder.path / "file", "new", path), ContainsSubstring(": it is " + kind));
    CHECK(bytes_of(folder.path / "file") == "old");
    fs::remove(folder.path / "file");
    CHECK(fs::symlink_status(path).type() == type);
  };
  SECTION("folder") {
    fs::create_directory(path);
    refused(path, "a folder");
  }
  SECTION("pipe") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    refused(path, "a pipe");
    CHECK_THROWS_AS(nn::io::load(path), FormatError);
  }
  SECTION("socket") {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    refused(path, "a socket");
    close(descriptor);
  }
  SECTION("device") { refused("/dev/null", "a device"); }
  SECTION("a link in the place of the file before") {
    fs::create_symlink("elsewhere", path);
    write_bytes(folder.path / "file", "old");
    CHECK_THROWS_WITH(replace_file(folder.path / "file", "new", path), ContainsSubstring(": it is a link"));
    fs::remove(folder.path / "file");
  }
  if (fs::symlink_status(path).type() != fs::file_type::not_found) CHECK(folder.files() == Names{"target"});
}

namespace {

/// A process that replaces a file again and again, stopped at a moment when its temporary file is there.
struct Writer {
  pid_t process;
  std::string temporary;

  Writer(const Folder& folder, const fs::path& path) : process(fork()) {
    REQUIRE(process >= 0);
    if (process == 0) {
      try {
        for (;;) replace_file(path, std::string(1 << 22, 'c'));
      } catch (const std::exception& error) {
        std::fputs(error.what(), stderr);
        _exit(1);
      }
    }
    for (temporary = found(folder); temporary.empty(); temporary = found(folder)) {
      signal(SIGCONT);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      signal(SIGSTOP);
      int status = 0;
      REQUIRE(waitpid(process, &status, WUNTRACED) == process);
      REQUIRE(WIFSTOPPED(status));
    }
  }
  ~Writer() { end(); }

  void signal(int number) { REQUIRE(kill(process, number) == 0); }
  void end() {
    if (process == 0) return;
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    process = 0;
  }

  /// A temporary file that is being written, and so locked: between the two the next one to come may remove it, and its
  /// maker makes another.
  static std::string found(const Folder& folder) {
    for (const std::string& name : folder.files())
      if (name.ends_with(".tmp") && fs::file_size(folder.path / name) > 0) return name;
    return {};
  }
};

}  // namespace

TEST_CASE("what killed processes have left is removed by the next one, and what another is writing is not") {
  const Folder folder;
  const fs::path path = folder.path / "file";
  for (int k = 0; k < 5; ++k) {
    Writer writer(folder, path);
    replace_file(path, "ours");
    CHECK(folder.files() == Names{"file", writer.temporary});
    CHECK(bytes_of(path) == "ours");
    writer.end();
    CHECK(folder.files() == Names{"file", writer.temporary});
    replace_file(folder.path / "other", "");
    CHECK(folder.files() == Names{"file", writer.temporary, "other"});
    replace_file(path, "ours again");
    CHECK(folder.files() == Names{"file", "other"});
    fs::remove(folder.path / "other");
  }
}

TEST_CASE("of files that belong together none is replaced before all are on the disk") {
  const Folder folder;
  const fs::path first = folder.path / "first", second = folder.path / "second";
  write_bytes(first, "old");
  write_bytes(second, "old");
  // fchmod, write, fsync for each, then rename, fsync for each.
  for (int failing = 1; failing <= 7; ++failing) {
    const Watched watched({.failing = failing});
    CHECK_THROWS_AS(nn::io::replace_files({{first, "new"}, {second, "new"}}), Error);
    CHECK(bytes_of(first) == "old");
    CHECK(bytes_of(second) == "old");
    CHECK(folder.files() == Names{"first", "second"});
  }
  nn::io::replace_files({{first, "new"}, {second, "new"}});
  CHECK(bytes_of(first) == "new");
  CHECK(bytes_of(second) == "new");
}
