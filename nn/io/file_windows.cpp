#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include "nn/io/file_system.hpp"

namespace nn::io::detail {

namespace fs = std::filesystem;

namespace {

void check(bool done) {
  if (!done) throw std::system_error(static_cast<int>(::GetLastError()), std::system_category());
}

HANDLE native(std::intptr_t handle) { return reinterpret_cast<HANDLE>(handle); }

std::intptr_t open(const fs::path& path, DWORD access, DWORD share, DWORD disposition, DWORD flags) {
  const HANDLE handle = ::CreateFileW(path.c_str(), access, share, nullptr, disposition, flags, nullptr);
  check(handle != INVALID_HANDLE_VALUE);
  return reinterpret_cast<std::intptr_t>(handle);
}

/// The most bytes that one call reads or writes.
DWORD piece(std::size_t count) { return static_cast<DWORD>(std::min<std::size_t>(count, 1u << 30)); }

}  // namespace

InputFile::InputFile(const fs::path& path)
    : handle_(open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING,
                   FILE_FLAG_SEQUENTIAL_SCAN)),
      regular_(::GetFileType(native(handle_)) == FILE_TYPE_DISK),
      size_(0) {
  LARGE_INTEGER size;
  if (regular_ && ::GetFileSizeEx(native(handle_), &size)) size_ = static_cast<std::uintmax_t>(size.QuadPart);
}

InputFile::~InputFile() { ::CloseHandle(native(handle_)); }

std::size_t InputFile::read(char* to, std::size_t count) {
  DWORD done = 0;
  check(::ReadFile(native(handle_), to, piece(count), &done, nullptr));
  return done;
}

/// Nobody else can open the file, not even to remove it, while this process has it open. Access is as the folder says.
NewFile::NewFile(const fs::path& path, const fs::path& /*old*/)
    : path_(path), handle_(open(path, GENERIC_WRITE | DELETE, 0, CREATE_NEW, FILE_ATTRIBUTE_NORMAL)) {}

NewFile::~NewFile() {
  FILE_DISPOSITION_INFO removal{TRUE};
  if (!path_.empty()) ::SetFileInformationByHandle(native(handle_), FileDispositionInfo, &removal, sizeof removal);
  ::CloseHandle(native(handle_));
}

void NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    DWORD done = 0;
    check(::WriteFile(native(handle_), bytes.data(), piece(bytes.size()), &done, nullptr));
    bytes.remove_prefix(done);
  }
}

void NewFile::sync() { check(::FlushFileBuffers(native(handle_))); }

void NewFile::rename(const fs::path& path) {
  const std::wstring name = fs::absolute(path).wstring();
  const std::size_t bytes = name.size() * sizeof(wchar_t), size = sizeof(FILE_RENAME_INFO) + bytes;
  const auto memory = std::make_unique<std::max_align_t[]>(size / sizeof(std::max_align_t) + 1);
  auto* const info = reinterpret_cast<FILE_RENAME_INFO*>(memory.get());
  info->ReplaceIfExists = TRUE;
  info->RootDirectory = nullptr;
  info->FileNameLength = static_cast<DWORD>(bytes);
  std::memcpy(info->FileName, name.c_str(), bytes + sizeof(wchar_t));
  check(::SetFileInformationByHandle(native(handle_), FileRenameInfo, info, static_cast<DWORD>(size)));
  path_.clear();
}

void for_each_name(const fs::path& folder, const std::function<void(const fs::path&)>& f) {
  WIN32_FIND_DATAW entry;
  const HANDLE list = ::FindFirstFileW((folder / L"*").c_str(), &entry);
  if (list == INVALID_HANDLE_VALUE) return;
  const std::unique_ptr<void, BOOL(WINAPI*)(HANDLE)> closed_at_the_end(list, ::FindClose);
  do f(entry.cFileName);
  while (::FindNextFileW(list, &entry));
}

void remove_abandoned(const fs::path& path) noexcept { ::DeleteFileW(path.c_str()); }

void require_writable(const fs::path& path) {
  const DWORD attributes = ::GetFileAttributesW(path.c_str());
  check(attributes != INVALID_FILE_ATTRIBUTES);
  if (attributes & FILE_ATTRIBUTE_READONLY) throw std::system_error(ERROR_ACCESS_DENIED, std::system_category());
}

void sync_folder(const fs::path& /*folder*/) {}  // the system writes names by itself

}  // namespace nn::io::detail
