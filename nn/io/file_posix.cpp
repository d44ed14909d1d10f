#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "nn/io/file_system.hpp"

namespace nn::io::detail {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(int error = errno) { throw std::system_error(error, std::generic_category()); }

/// The result of a call, repeated when a signal has interrupted it.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// As uninterrupted(), and throws if the call fails.
template <class Call>
auto checked(Call call) {
  const auto result = uninterrupted(call);
  if (result < 0) fail();
  return result;
}

int fd(std::intptr_t handle) { return static_cast<int>(handle); }

}  // namespace

InputFile::InputFile(const fs::path& path)
    : handle_(checked([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); })) {
  struct stat status;
  if (::fstat(fd(handle_), &status) != 0) {
    const int error = errno;
    ::close(fd(handle_));
    fail(error);
  }
  regular_ = S_ISREG(status.st_mode);
  size_ = static_cast<std::uintmax_t>(status.st_size);
}

InputFile::~InputFile() { ::close(fd(handle_)); }

std::size_t InputFile::read(char* to, std::size_t count) {
  return static_cast<std::size_t>(checked([&] { return ::read(fd(handle_), to, count); }));
}

NewFile::NewFile(const fs::path& path, const fs::path& old) : path_(path) {
  const bool replaces = ::access(old.c_str(), F_OK) == 0;
  const mode_t mode = replaces ? S_IRUSR | S_IWUSR : 0666;
  handle_ = checked([&] { return ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); });
  try {
    // Whoever finds the file tells by the lock that somebody is writing it. A file system without locks has no
    // abandoned files removed.
    uninterrupted([&] { return ::flock(fd(handle_), LOCK_EX); });
    struct stat status;
    checked([&] { return ::fstat(fd(handle_), &status); });
    if (status.st_nlink == 0) fail(EEXIST);  // it was taken for abandoned before it was locked
    if (replaces) copy_permissions(old);
  } catch (...) {
    ::unlink(path_.c_str());
    ::close(fd(handle_));
    throw;
  }
}

void NewFile::copy_permissions(const fs::path& old) {
  struct stat from, to;
  checked([&] { return ::stat(old.c_str(), &from); });
  checked([&] { return ::fstat(fd(handle_), &to); });
  mode_t mode = from.st_mode & 07777;
  // The owner comes first, because a change of owner takes bits of the mode. What the old group could do is nothing for
  // another one.
  const bool same_owner = to.st_uid == from.st_uid && to.st_gid == from.st_gid;
  if (!same_owner && ::fchown(fd(handle_), from.st_uid, from.st_gid) != 0 &&
      ::fchown(fd(handle_), static_cast<uid_t>(-1), from.st_gid) != 0)
    mode &= ~static_cast<mode_t>(S_IRWXG | S_ISGID);
  checked([&] { return ::fchmod(fd(handle_), mode); });
}

NewFile::~NewFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(fd(handle_));
}

void NewFile::write(std::string_view bytes) {
  while (!bytes.empty())
    bytes.remove_prefix(
        static_cast<std::size_t>(checked([&] { return ::write(fd(handle_), bytes.data(), bytes.size()); })));
}

void NewFile::sync() {
#ifdef F_FULLFSYNC  // macOS, whose fsync leaves the bytes to the drive; not every file system can do more
  if (::fcntl(fd(handle_), F_FULLFSYNC) == 0) return;
#endif
  checked([&] { return ::fsync(fd(handle_)); });
}

void NewFile::rename(const fs::path& path) {
  fs::rename(path_, path);
  path_.clear();
}

void for_each_name(const fs::path& folder, const std::function<void(const fs::path&)>& f) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.empty() ? "." : folder.c_str()), ::closedir);
  if (!list) return;
  while (const dirent* const entry = ::readdir(list.get())) f(entry->d_name);
}

void remove_abandoned(const fs::path& path) noexcept {
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return;
  struct stat status;
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && ::flock(file, LOCK_EX | LOCK_NB) == 0)
    ::unlink(path.c_str());
  ::close(file);
}

void require_writable(const fs::path& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) fail();
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // one that may be written but not read
  const int error = uninterrupted([&] { return ::fsync(descriptor); }) == 0 ? 0 : errno;
  ::close(descriptor);
  if (error != 0 && error != EINVAL && error != ENOTSUP) fail(error);  // those two: a file system that can not
}

}  // namespace nn::io::detail
