// Checkpoints: everything that a training needs to go on as if it had never stopped, bit for bit.
//
//   struct Training {
//     Model model;
//     nn::Adam<float> optimizer;
//     nn::Generator generator;
//     std::vector<std::size_t> order;  // of the samples, shuffled
//     std::size_t position = 0, epoch = 0;
//     double best_loss = 1e300;
//     std::vector<double> history;
//
//     static void visit_state(auto& self, auto&& visitor) {
//       visitor("model", self.model);
//       visitor("optimizer", self.optimizer);
//       ...
//     }
//   };
//
//   save_checkpoint(training, "run.checkpoint");  // between two steps: gradients are not kept
//   load_checkpoint(training, "run.checkpoint");
//
// What may be visited: numbers, truth values, enumerations, texts, generators, std::vector and std::optional of what
// may be visited, std::span of numbers (whose length must agree), parameters (whose shape must agree), modules, and
// types with a visit_state() of their own.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/error.hpp"
#include "autograd/ops/random.hpp"
#include "nn/io/parameter_data.hpp"
#include "nn/module.hpp"

namespace nn::io {

using autograd::Shape;

/// A type with `static void visit_state(auto& self, auto&& visitor)` that calls `visitor("name", self.member)`.
template <class S>
concept Stateful = requires(std::remove_const_t<S>& state) {
  std::remove_const_t<S>::visit_state(state, [](const std::string&, auto&&) {});
};

namespace detail {

enum class Code : char { truth = 'b', integer = 'i', whole = 'u', float32 = 'f', float64 = 'd', text = 's' };

/// A named array of a checkpoint.
struct Record {
  Code code;
  Shape shape;
  std::string_view bytes;
};
using Records = std::map<std::string, Record>;

/// Appends a record in the form of the file.
void append_record(std::string& payload, const std::string& name, Code code, const Shape& shape,
                   std::string_view bytes);
/// The complete file around the records.
std::string checkpoint_file(std::string_view payload);
/// The state of a generator, the same in every locale.
std::string generator_text(const autograd::Generator& generator);
/// Keeps the file that was there as `<path>.previous`, unless it is damaged.
void write_checkpoint(std::string_view payload, const std::filesystem::path& path);
/// The bytes of the newest file that is whole: `path`, or else `<path>.previous`. Throws FormatError.
std::string read_checkpoint(const std::filesystem::path& path, std::filesystem::path& found);
/// The records of a file that read_checkpoint() gave, into which they point.
Records records_of(std::string_view file, const std::string& source);

/// How numbers of type T are stored: integers with 64 bits, so that files move between machines.
template <class T>
constexpr Code code_of() {
  if constexpr (std::is_same_v<T, bool>)
    return Code::truth;
  else if constexpr (std::is_same_v<T, float>)
    return Code::float32;
  else if constexpr (std::is_same_v<T, double>)
    return Code::float64;
  else if constexpr (std::is_enum_v<T> || std::is_signed_v<T>)
    return Code::integer;
  else
    return Code::whole;
}

template <class T>
concept Number = std::is_enum_v<T> ||(std::is_arithmetic_v<T> && !std::is_same_v<T, long double>);

template <class T>
using Stored =
    std::conditional_t<code_of<T>() == Code::truth, char,
                       std::conditional_t<code_of<T>() == Code::integer, std::int64_t,
                                          std::conditional_t<code_of<T>() == Code::whole, std::uint64_t, T>>>;

template <class U>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class U>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class U>
inline constexpr bool is_span = false;
template <class T>
inline constexpr bool is_span<std::span<T>> = true;

/// A visitor that writes.
class CheckpointWriter {
 public:
  explicit CheckpointWriter(std::string& payload, std::string prefix = {})
      : payload_(payload), prefix_(std::move(prefix)) {}

  template <class U>
  void operator()(const std::string& name, U&& member) {
    using V = std::remove_cvref_t<U>;
    const std::string path = prefix_ + name;
    if constexpr (Number<V>) {
      numbers(path, {}, std::span<const V>(&member, 1));
    } else if constexpr (std::is_same_v<V, std::string>) {
      append_record(payload_, path, Code::text, {member.size()}, member);
    } else if constexpr (std::is_same_v<V, autograd::Generator>) {
      const std::string text = generator_text(member);
      append_record(payload_, path, Code::text, {text.size()}, text);
    } else if constexpr (nn::detail::is_parameter<V>) {
      numbers(path, member.shape(), std::span(member.value().data(), member.size()));
    } else if constexpr (is_span<V>) {
      numbers(path, {member.size()}, std::span<const typename V::value_type>(member));
    } else if constexpr (is_vector<V>) {
      if constexpr (Number<typename V::value_type> && !std::is_same_v<V, std::vector<bool>>) {
        numbers(path, {member.size()}, std::span<const typename V::value_type>(member));
      } else {
        (*this)(name + ".size", member.size());
        for (std::size_t k = 0; k < member.size(); ++k) {
          const typename V::value_type element = member[k];
          (*this)(name + "." + std::to_string(k), element);
        }
      }
    } else if constexpr (is_optional<V>) {
      (*this)(name + ".there", member.has_value());
      if (member) (*this)(name, *member);
    } else if constexpr (Stateful<V>) {
      V::visit_state(member, CheckpointWriter(payload_, path + "."));
    } else {
      static_assert(Module<V>, "this type can not be visited");
      V::visit(member, CheckpointWriter(payload_, path + "."));
    }
  }

 private:
  template <class T>
  void numbers(const std::string& path, const Shape& shape, std::span<const T> values) {
    std::string bytes(values.size() * sizeof(Stored<T>), '\0');
    for (std::size_t k = 0; k < values.size(); ++k) {
      const auto stored = static_cast<Stored<T>>(values[k]);
      std::memcpy(bytes.data() + k * sizeof stored, &stored, sizeof stored);
    }
    append_record(payload_, path, code_of<T>(), shape, bytes);
  }

  std::string& payload_;
  std::string prefix_;
};

/// A visitor that reads: what is found is kept aside until everything was found, then commit() sets it all. Whatever
/// can fail, for want of memory above all, has been done by then.
class CheckpointReader {
 public:
  explicit CheckpointReader(Records& records) : records_(&records), root_(this) {}
  CheckpointReader(const CheckpointReader&) = delete;
  CheckpointReader& operator=(const CheckpointReader&) = delete;
  ~CheckpointReader();

  template <class U>
  void operator()(const std::string& name, U&& member) {
    using V = std::remove_cvref_t<U>;
    const std::string path = prefix_ + name;
    if constexpr (Number<V>) {
      if (const auto values = numbers<V>(path, Shape{})) later([&member, v = (*values)[0]]() noexcept { member = v; });
    } else if constexpr (std::is_same_v<V, std::string>) {
      if (const auto text = take(path, Code::text))
        later([&member, t = std::string(text->bytes)]() mutable noexcept { member.swap(t); });
    } else if constexpr (std::is_same_v<V, autograd::Generator>) {
      generator(path, member);
    } else if constexpr (nn::detail::is_parameter<V>) {
      using T = std::remove_cvref_t<decltype(*member.value().data())>;
      if (auto values = numbers<T>(path, member.shape())) {
        const auto to = std::make_shared<T*>();
        root_->begins_.emplace_back([&member, to] { *to = begin_update(member); });
        later([to, v = std::move(*values)]() noexcept { std::copy(v.begin(), v.end(), *to); });
      }
    } else if constexpr (is_span<V>) {
      if (auto values = numbers<typename V::value_type>(path, Shape{member.size()}))
        later([member, v = std::move(*values)]() noexcept { std::copy(v.begin(), v.end(), member.begin()); });
    } else if constexpr (is_vector<V>) {
      if constexpr (Number<typename V::value_type> && !std::is_same_v<V, std::vector<bool>>) {
        if (auto values = numbers<typename V::value_type>(path, {}))
          later([&member, v = std::move(*values)]() mutable noexcept { member.swap(v); });
      } else {
        elements(name, path, member);
      }
    } else if constexpr (is_optional<V>) {
      optional(name, path, member);
    } else if constexpr (Stateful<V>) {
      V::visit_state(member, CheckpointReader(*this, path + "."));
    } else {
      static_assert(Module<V>, "this type can not be visited");
      V::visit(member, CheckpointReader(*this, path + "."));
    }
  }

  /// Sets everything. Throws FormatError, and sets nothing, where the file and the state differ.
  void commit(const std::string& source);

 private:
  CheckpointReader(CheckpointReader& parent, std::string prefix)
      : records_(parent.records_), root_(parent.root_), prefix_(std::move(prefix)) {}

  /// The record of that name and type, which is then used up.
  std::optional<Record> take(const std::string& path, Code code);
  void problem(const std::string& text) { root_->problems_ += (root_->problems_.empty() ? "" : ", ") + text; }
  template <class Set>
  void later(Set set) {
    static_assert(std::is_nothrow_invocable_v<Set&>, "a commit that fails would leave half a state");
    root_->commits_.push_back(std::move(set));
  }
  void generator(const std::string& path, autograd::Generator& member);

  /// The numbers of a record; without a shape any list will do.
  template <class T>
  std::optional<std::vector<T>> numbers(const std::string& path, std::optional<Shape> shape) {
    const auto record = take(path, code_of<T>());
    if (!record) return {};
    if (shape ? record->shape != *shape : record->shape.rank() != 1) {
      problem(path + ": file " + to_string(record->shape) + ", here " + (shape ? to_string(*shape) : "a list"));
      return {};
    }
    std::vector<T> values(record->shape.elements());
    for (std::size_t k = 0; k < values.size(); ++k) {
      Stored<T> stored;
      std::memcpy(&stored, record->bytes.data() + k * sizeof stored, sizeof stored);
      if constexpr (!std::is_floating_point_v<T> && !std::is_enum_v<T> && !std::is_same_v<T, bool>)
        if (stored < std::numeric_limits<T>::min() || stored > std::numeric_limits<T>::max()) {
          problem(path + " is too large for its type here");
          return {};
        }
      values[k] = static_cast<T>(stored);
    }
    return values;
  }

  template <class V>
  void elements(const std::string& name, const std::string& path, V& member) {
    const auto size = numbers<std::size_t>(path + ".size", Shape{});
    if (!size) return;
    if ((*size)[0] > records_->size()) return problem(path + " has fewer elements than it says");
    // Constructed at once, because their parts are set later.
    const auto values = std::make_shared<V>((*size)[0]);
    if constexpr (std::is_same_v<V, std::vector<bool>>) {
      for (std::size_t k = 0; k < values->size(); ++k)
        if (const auto truth = numbers<bool>(path + "." + std::to_string(k), Shape{})) (*values)[k] = (*truth)[0];
    } else {
      for (std::size_t k = 0; k < values->size(); ++k) (*this)(name + "." + std::to_string(k), (*values)[k]);
    }
    later([&member, values]() noexcept { member.swap(*values); });
  }

  template <class V>
  void optional(const std::string& name, const std::string& path, V& member) {
    const auto there = numbers<bool>(path + ".there", Shape{});
    if (!there || !(*there)[0]) return later([&member]() noexcept { member.reset(); });
    if (!member) {
      // Constructed at once, because its parts are set later; taken back if it does not come to that.
      root_->undos_.emplace_back([&member]() noexcept { member.reset(); });
      member.emplace();
    }
    (*this)(name, *member);
  }

  Records* records_;
  CheckpointReader* root_;
  std::string prefix_;
  std::string problems_;
  std::vector<std::function<void()>> begins_, commits_, undos_;
};

}  // namespace detail

/// Writes a new file, makes sure that it is on the disk, and puts it in the place of the old one, which is kept as
/// `<path>.previous` unless it is damaged: at every instant one of the two is whole. Where `path` is a link, both are
/// where it points. Only one process may save to a path at a time. Throws Error, with the system's reason, if it can
/// not; see replace_file() for what is left then.
template <Stateful S>
void save_checkpoint(const S& state, const std::filesystem::path& path) {
  std::string payload;
  S::visit_state(state, detail::CheckpointWriter(payload));
  detail::write_checkpoint(payload, path);
}

/// Sets the state from `path`, or from `<path>.previous` where that is missing or damaged, and returns which it was.
/// Throws FormatError, and then the state is what it was: if neither is whole, for a whole file of another version, and
/// for a file of another state, with every name, type and shape that differs. The state is what it was after
/// std::bad_alloc, too.
template <Stateful S>
std::filesystem::path load_checkpoint(S& state, const std::filesystem::path& path) {
  std::filesystem::path found;
  const std::string file = detail::read_checkpoint(path, found);
  detail::Records records = detail::records_of(file, found.string());
  detail::CheckpointReader reader(records);
  S::visit_state(state, reader);
  reader.commit(found.string());
  return found;
}

}  // namespace nn::io
