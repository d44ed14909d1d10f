#include "nn/infer/packed.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "autograd/error.hpp"
#include "autograd/graph/graph.hpp"
#include "autograd/graph/run.hpp"

namespace nn::infer {

using autograd::FormatError;
using autograd::Graph;
using autograd::GraphAttribute;
using autograd::Index;
using autograd::Shape;

namespace {

constexpr std::string_view magic = "WGRTPACK";
constexpr std::uint32_t version = 1;

/// FNV-1a (Fowler, Noll and Vo), 64 bits.
std::uint64_t checksum(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3u;
  return hash;
}

class Writer {
 public:
  template <class N>
  requires std::is_integral_v<N>
  void number(N value) {
    for (std::size_t k = 0; k < sizeof(N); ++k)
      bytes.push_back(static_cast<std::byte>(static_cast<std::make_unsigned_t<N>>(value) >> (8 * k)));
  }
  void number(float value) { number(std::bit_cast<std::uint32_t>(value)); }
  void number(double value) { number(std::bit_cast<std::uint64_t>(value)); }
  void size(std::size_t value) { number(static_cast<std::uint32_t>(value)); }
  void text(std::string_view value) {
    size(value.size());
    for (const char c : value) number(static_cast<std::uint8_t>(c));
  }
  template <class List, class F>
  void list(const List& all, F f) {
    size(all.size());
    for (const auto& each : all) f(each);
  }

  std::vector<std::byte> bytes;
};

/// Throws FormatError beyond the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class N>
  N number() {
    if constexpr (std::is_same_v<N, float>) {
      return std::bit_cast<float>(number<std::uint32_t>());
    } else if constexpr (std::is_same_v<N, double>) {
      return std::bit_cast<double>(number<std::uint64_t>());
    } else {
      const std::span<const std::byte> from = take(sizeof(N));
      std::make_unsigned_t<N> value = 0;
      for (std::size_t k = 0; k < sizeof(N); ++k)
        value = static_cast<std::make_unsigned_t<N>>(value | std::make_unsigned_t<N>(from[k]) << (8 * k));
      return static_cast<N>(value);
    }
  }
  std::string text() {
    const std::span<const std::byte> from = take(number<std::uint32_t>());
    return {reinterpret_cast<const char*>(from.data()), from.size()};
  }
  /// f() for each entry. No list is longer than what is left, so no count makes a reader take memory for nothing.
  template <class F>
  auto list(F f) {
    const std::size_t count = number<std::uint32_t>();
    if (count > bytes_.size()) refuse("a list is longer than the rest of it");
    std::vector<decltype(f())> result;
    for (std::size_t k = 0; k < count; ++k) result.push_back(f());
    return result;
  }
  bool done() const { return bytes_.empty(); }

  [[noreturn]] static void refuse(const std::string& why) {
    throw FormatError("packed graph: " + why + "; make it again with packed()");
  }

 private:
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size()) refuse("it ends too early");
    const std::span<const std::byte> taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  std::span<const std::byte> bytes_;
};

enum class Kind : std::uint8_t { truth, number, whole, list };  // in the order of the variant's alternatives

void write(Writer& to, const GraphAttribute& attribute) {
  to.text(attribute.name);
  to.number(static_cast<std::uint8_t>(attribute.value.index()));
  switch (static_cast<Kind>(attribute.value.index())) {
    case Kind::truth:
      return to.number(static_cast<std::int64_t>(std::get<bool>(attribute.value)));
    case Kind::number:
      return to.number(std::get<double>(attribute.value));
    case Kind::whole:
      return to.number(static_cast<std::int64_t>(std::get<Index>(attribute.value)));
    case Kind::list:
      return to.list(std::get<std::vector<Index>>(attribute.value),
                     [&](Index each) { to.number(static_cast<std::int64_t>(each)); });
  }
}

GraphAttribute read_attribute(Reader& from) {
  GraphAttribute attribute{from.text(), false};
  const auto kind = from.number<std::uint8_t>();
  switch (static_cast<Kind>(kind)) {
    case Kind::truth:
      attribute.value = from.number<std::int64_t>() != 0;
      return attribute;
    case Kind::number:
      attribute.value = from.number<double>();
      return attribute;
    case Kind::whole:
      attribute.value = static_cast<Index>(from.number<std::int64_t>());
      return attribute;
    case Kind::list:
      attribute.value = from.list([&] { return static_cast<Index>(from.number<std::int64_t>()); });
      return attribute;
  }
  Reader::refuse("attribute \"" + attribute.name + "\" is of kind " + std::to_string(kind) +
                 ", which this version does not know");
}

}  // namespace

template <class T>
std::vector<std::byte> packed(const Graph<T>& graph) {
  check(graph);
  Writer to;
  const auto ids = [&](const auto& list) { to.list(list, [&](auto id) { to.size(id); }); };
  const auto elements = [&](const std::vector<T>& values) { to.list(values, [&](T value) { to.number(value); }); };
  const auto ports = [&](const auto& list) {
    to.list(list, [&](const auto& port) {
      to.text(port.name);
      to.size(port.value);
    });
  };
  const auto tensors = [&](const auto& list) {
    to.list(list, [&](const auto& tensor) {
      to.text(tensor.name);
      to.size(tensor.value);
      elements(tensor.data);
    });
  };
  for (const char c : magic) to.number(static_cast<std::uint8_t>(c));
  to.number(version);
  to.size(sizeof(T));
  to.list(graph.values, [&](const auto& value) {
    to.list(value.shape, [&](std::size_t extent) { to.size(extent); });
    to.number(static_cast<std::uint8_t>(value.batched));
    to.text(value.name);
  });
  ports(graph.inputs);
  to.list(graph.states, [&](const auto& state) {
    to.text(state.name);
    to.size(state.input);
    to.size(state.output);
    elements(state.initial);
  });
  tensors(graph.parameters);
  tensors(graph.constants);
  to.list(graph.steps, [&](const auto& step) {
    to.text(step.op->name());
    ids(step.inputs);
    ids(step.outputs);
    to.list(step.attributes, [&](const GraphAttribute& attribute) { write(to, attribute); });
  });
  ports(graph.outputs);
  to.number(checksum(to.bytes));
  return std::move(to.bytes);
}

template <class T>
Graph<T> unpacked(std::span<const std::byte> bytes) {
  using Id = typename Graph<T>::Id;
  constexpr std::size_t end = sizeof(std::uint64_t);
  if (bytes.size() < magic.size() + end || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    Reader::refuse("it does not begin with " + std::string(magic));
  if (Reader(bytes.last(end)).template number<std::uint64_t>() != checksum(bytes.first(bytes.size() - end)))
    Reader::refuse("its checksum is another, so it was changed or cut off");
  Reader from(bytes.subspan(magic.size(), bytes.size() - magic.size() - end));
  if (const auto found = from.number<std::uint32_t>(); found != version)
    Reader::refuse("it is of version " + std::to_string(found) + ", expected " + std::to_string(version));
  if (const auto found = from.number<std::uint32_t>(); found != sizeof(T))
    Reader::refuse("its elements take " + std::to_string(found) + " bytes, expected " + std::to_string(sizeof(T)));

  Graph<T> graph;
  const auto id = [&] { return static_cast<Id>(from.number<std::uint32_t>()); };
  const auto elements = [&] { return from.list([&] { return from.template number<T>(); }); };
  // Members are read in the order in which they are listed.
  const auto ports = [&] { return from.list([&] { return typename Graph<T>::Port{from.text(), id()}; }); };
  const auto tensors = [&] {
    return from.list([&] { return typename Graph<T>::Tensor{from.text(), id(), elements()}; });
  };
  graph.values = from.list([&] {
    const auto extents = from.list([&] { return from.template number<std::uint32_t>(); });
    if (extents.size() > Shape::max_rank) Reader::refuse("a value has more than 8 axes");
    const bool batched = from.template number<std::uint8_t>() != 0;
    return typename Graph<T>::Value{Shape(extents.begin(), extents.end()), batched, from.text()};
  });
  std::size_t elements_of_all = 0;
  for (const auto& value : graph.values)
    elements_of_all = autograd::extent_sum("packed graph", elements_of_all, value.shape.elements());
  if (elements_of_all > (std::size_t(1) << 22) + 4 * bytes.size())
    Reader::refuse("its values have " + std::to_string(elements_of_all) + " elements, more than a graph of " +
                   std::to_string(bytes.size()) + " bytes may have");
  graph.inputs = ports();
  graph.states = from.list([&] { return typename Graph<T>::State{from.text(), id(), id(), elements()}; });
  graph.parameters = tensors();
  graph.constants = tensors();
  graph.steps = from.list([&] {
    const std::string name = from.text();
    typename Graph<T>::Step step{autograd::find_graph_op<T>(name), nullptr, {}, {}, {}};
    if (!step.op) Reader::refuse("it has a step \"" + name + "\", which is no op of this version");
    step.inputs = from.list(id);
    step.outputs = from.list(id);
    step.attributes = from.list([&] { return read_attribute(from); });
    step.rule = step.op->make(step.attributes);
    return step;
  });
  graph.outputs = ports();
  if (!from.done()) Reader::refuse("there is something behind its end");
  check(graph);
  return graph;
}

template <class T>
Stream<T> stream_of_packed(std::span<const std::byte> bytes) {
  return Stream<T>(unpacked<T>(bytes));
}

#define INSTANTIATE(T)                                     \
  template std::vector<std::byte> packed(const Graph<T>&); \
  template Graph<T> unpacked(std::span<const std::byte>);  \
  template Stream<T> stream_of_packed(std::span<const std::byte>);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::infer
