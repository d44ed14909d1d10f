// apply(): how a rule becomes a step of the recording. Included where ops are defined, by us or by a user.
#pragma once

#include <vector>

#include "autograd/error.hpp"
#include "autograd/kernels/elementwise.hpp"
#include "autograd/recorder.hpp"

namespace autograd {

template <class T>
Variable<T> broadcast_to(Variable<T> x, const Shape& shape);  // of ops/shape.hpp

/// A rule that says what shape it yields: `Shape infer(Shapes) const`. Any other rule is elementwise.
using Shapes = std::span<const Shape* const>;
template <class Rule>
concept Structural = requires(const Rule& rule, Shapes shapes) {
  rule.infer(shapes);
};

/// A structural rule with a numeric backward of its own; the others have their vjp run on numbers.
template <class Rule, class T>
concept BackwardInto = requires(const Rule& rule, Backward<T>& call) {
  rule.backward_into(call);
};

/// Has a text of its own for recording.print().
template <class Rule>
concept HasAttributes = requires(const Rule& rule) {
  { rule.attributes() } -> std::convertible_to<std::string>;
};
/// Shows its attributes, `static void visit(auto& self, auto&& visitor)` calling visitor("name", self.name) for each.
template <class Rule>
concept Visited = requires(const Rule& rule) {
  Rule::visit(rule, [](const char*, const auto&) {});
};

template <class Rule, class T, std::same_as<Variable<T>>... Rest, class = detail::InstructionSet>
requires(!Structural<Rule>) Variable<T> apply(const Rule& rule, Variable<T> first, Rest... rest);

namespace detail {

// Append an attribute as recording.print() shows it: name=value, of a bool the name where it is true.
void add_attribute(std::string& text, const char* name, double value);
void add_attribute(std::string& text, const char* name, bool value);
void add_attribute(std::string& text, const char* name, std::size_t value);
void add_attribute(std::string& text, const char* name, Index value);
void add_attribute(std::string& text, const char* name, unsigned axes);  ///< bit k for axis k
void add_attribute(std::string& text, const char* name, const Shape& value);
void add_attribute(std::string& text, const char* name, std::span<const std::size_t> value);

/// Adds each recorded gradient, as numbers, to its destination.
template <class T>
class NumericSink final : public GradientSink<T> {
 public:
  explicit NumericSink(Sweep<T>& sweep) : sweep_(sweep) {}
  bool wants(SlotId id) const override { return sweep_.slot(id).needs_gradient; }
  void add(SlotId id, Variable<T> gradient) override {
    const Slot<T>& from = sweep_.slot(gradient.slot());
    const Destination<T> to = sweep_.gradient_into(id);
    for (std::size_t k = 0; k < from.size; ++k) to.data[k] = to.accumulate ? to.data[k] + from.value[k] : from.value[k];
  }

 private:
  Sweep<T>& sweep_;
};

/// The functions of a rule, as compiled here.
template <class Rule, class T, class = InstructionSet>
struct Table {
  static constexpr std::size_t arity = Rule::info.inputs == OpInfo::any ? 0 : Rule::info.inputs;

  static const Rule& rule(const void* pointer) {
    if constexpr (std::is_empty_v<Rule>) {
      static const Rule empty{};
      return empty;
    } else {
      return *static_cast<const Rule*>(pointer);
    }
  }

  static void forward(const void* pointer, const ForwardCall<T>& call) {
    if constexpr (Structural<Rule>) {
      rule(pointer).forward(call);
    } else {
      std::array<const T*, arity> in;
      for (std::size_t k = 0; k < arity; ++k) in[k] = call.input(k).data;
      kernels::elementwise_forward<T, arity>(rule(pointer), in, call.output().data, call.output().size());
    }
  }

  static void forward_complex(const void* pointer, const ForwardCall<std::complex<double>>& call) {
    if constexpr (Structural<Rule>)
      rule(pointer).forward(call);
    else
      kernels::elementwise_forward_complex<arity>(rule(pointer), call);
  }

  static void backward(const void* pointer, Backward<T>& call) {
    if constexpr (BackwardInto<Rule, T>) {
      rule(pointer).backward_into(call);
    } else if constexpr (Structural<Rule>) {
      Sweep<T>& sweep = call.sweep();
      const typename Sweep<T>::Scope scope(sweep);
      NumericSink<T> sink(sweep);
      Recorder<T> recorder(sweep, call.step(), sink);
      const std::span<Variable<T>> gradients = sweep.template list<Variable<T>>(call.outputs());
      for (std::size_t k = 0; k < call.outputs(); ++k)
        gradients[k] = call.has_gradient(k) ? sweep.borrow(call.gradient(k)) : Variable<T>();
      recorder.set_gradients(gradients);
      rule(pointer).vjp(recorder);
    } else {
      Sweep<T>& sweep = call.sweep();
      const Slot<T>& output = sweep.slot(call.step().first_output);
      constexpr std::array passes = kernels::with_indices<arity>([](auto... k) {
        using Parts = decltype(std::declval<const Rule&>().vjp(Simd<T>{}, Simd<T>{}, (void(k), Simd<T>{})...));
        return std::array{!std::is_same_v<std::tuple_element_t<k, Parts>, Absent>...};
      });
      std::array<const T*, arity> in;
      std::array<Destination<T>, arity> into;
      for (std::size_t k = 0; k < arity; ++k) {
        const SlotId id = sweep.input(call.step(), k);
        in[k] = sweep.slot(id).value;
        const bool wanted = passes[k] && sweep.slot(id).needs_gradient;
        into[k] = wanted ? sweep.gradient_into(id) : Destination<T>{nullptr, false};
      }
      kernels::elementwise_backward<T, arity>(rule(pointer), output.gradient, output.value, in, into, output.size);
    }
  }

  static void record(const void* pointer, Recorder<T>& call) {
    if constexpr (Structural<Rule>) {
      rule(pointer).vjp(call);
    } else {
      const auto parts = kernels::with_indices<arity>(
          [&](auto... k) { return rule(pointer).vjp(call.gradient(), call.output(), call.input(k)...); });
      kernels::with_indices<arity>([&](auto... k) { (call.add(k, std::get<k>(parts)), ...); });
    }
  }

  static std::string attributes(const void* pointer) {
    if constexpr (HasAttributes<Rule>) {
      return rule(pointer).attributes();
    } else {
      std::string text;
      if constexpr (Visited<Rule>)
        Rule::visit(rule(pointer), [&](const char* name, const auto& value) { add_attribute(text, name, value); });
      return text;
    }
  }

  static constexpr auto complex_of = [] {
    if constexpr (std::same_as<T, double>)
      return &forward_complex;
    else
      return nullptr;
  };
  static constexpr OpTable<T> table{
      &Rule::info, Rule::info.replayable ? &forward : nullptr, complex_of(), &backward, &record, &attributes};

  static const void* keep(Recording<T>& recording, const Rule& rule) {
    if constexpr (std::is_empty_v<Rule>)
      return nullptr;
    else
      return recording.keep(rule);
  }
};

inline std::array<Shape, 1> as_array(const Shape& shape) { return {shape}; }
template <std::size_t N>
std::array<Shape, N> as_array(const std::array<Shape, N>& shapes) {
  return shapes;
}

/// Records a structural rule over checked inputs; `joined` is where the first output lies already, if it does.
template <class Rule, class T>
auto record_structural(const Rule& rule, Recording<T>& recording, std::span<const SlotId> ids,
                       std::span<const Shape*> shapes, std::span<Operand<const T>> operands, T* joined = nullptr) {
  bool needs_gradient = false;
  for (std::size_t k = 0; k < ids.size(); ++k) {
    const Slot<T>& slot = recording.slot(ids[k]);
    shapes[k] = slot.shape;
    operands[k] = {slot.value, slot.shape};
    needs_gradient |= slot.needs_gradient;
  }
  const auto inferred = as_array(rule.infer(Shapes(shapes)));
  std::array<Operand<T>, std::tuple_size_v<decltype(inferred)>> out;
  std::array<typename Recording<T>::Place, out.size()> places;
  for (std::size_t k = 0; k < out.size(); ++k) {
    const Shape* shape = recording.keep(inferred[k]);
    places[k] = k == 0 && joined ? typename Recording<T>::Place{joined, 0} : recording.place(shape->elements());
    out[k] = {places[k].value, shape};
  }
  {
    static constexpr Closing computing{Rule::info.name, in_forward};
    const typename Recording<T>::Closed closed(recording, computing);
    rule.forward(ForwardCall<T>{operands, out});
  }
  const SlotId first = static_cast<SlotId>(recording.slot_count());
  const bool reaches = needs_gradient && Rule::info.differentiable;
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (k == 0 && joined)
      recording.new_joined(joined, out[k].shape, out[k].size(), reaches);
    else
      recording.new_slot(places[k], out[k].shape, out[k].size(), reaches);
  }
  recording.push_step(&Table<Rule, T>::table, Table<Rule, T>::keep(recording, rule), ids, first, out.size());
  if constexpr (std::same_as<decltype(rule.infer(Shapes{})), Shape>)
    return recording.handle(first);
  else
    return kernels::with_indices<out.size()>(
        [&](auto... k) { return std::array{recording.handle(first + static_cast<SlotId>(k))...}; });
}

/// Records an elementwise rule over operands stretched to their common shape.
template <class Rule, class T, class... Rest, class = InstructionSet>
[[gnu::noinline]] Variable<T> apply_broadcast(const Rule& rule, Variable<T> first, Rest... rest) {
  Shape common = first.shape();
  ((common = broadcast(Rule::info.name, common, rest.shape())), ...);
  const auto mark = first.tape().mark();
  try {
    return apply(rule, broadcast_to(first, common), broadcast_to(rest, common)...);
  } catch (...) {
    first.tape().rewind(mark);
    throw;
  }
}

}  // namespace detail

/// Records an elementwise rule. Operands of different shapes are broadcast as in NumPy.
/// Throws ShapeError when they can not be, TapeError for stale or foreign handles.
template <class Rule, class T, std::same_as<Variable<T>>... Rest, class>
requires(!Structural<Rule>) Variable<T> apply(const Rule& rule, Variable<T> first, Rest... rest) {
  constexpr std::size_t arity = 1 + sizeof...(Rest);
  static_assert(Rule::info.inputs == static_cast<int>(arity), "apply: as many Variables as OpInfo::inputs says");
  const char* op = Rule::info.name;
  Recording<T>& recording = recording_of(op, first);
  const typename Recording<T>::Use use(recording, op);
  const std::array<SlotId, arity> ids{recording.check(op, first), recording.check(op, rest)...};
  const Shape* shape = recording.slot(ids[0]).shape;
  const std::size_t size = recording.slot(ids[0]).size;
  std::array<const T*, arity> in;
  bool needs_gradient = false;
  for (std::size_t k = 0; k < arity; ++k) {
    const Slot<T>& slot = recording.slot(ids[k]);
    if (slot.shape != shape && !(*slot.shape == *shape)) return detail::apply_broadcast(rule, first, rest...);
    in[k] = slot.value;
    needs_gradient |= slot.needs_gradient;
  }
  const typename Recording<T>::Place place = recording.place(size);
  kernels::elementwise_forward<T, arity>(rule, in, place.value, size);
  const SlotId output = recording.new_slot(place, shape, size, needs_gradient && Rule::info.differentiable);
  recording.push_step(&detail::Table<Rule, T>::table, detail::Table<Rule, T>::keep(recording, rule), ids, output);
  return recording.handle(output);
}

/// Records a structural rule: a Variable, or an array of them for a rule whose infer() returns an array of shapes.
/// Throws what infer() throws, TapeError for stale or foreign handles.
template <Structural Rule, class T>
auto apply(const Rule& rule, std::span<const Variable<T>> inputs) {
  const char* op = Rule::info.name;
  if (inputs.empty()) throw ShapeError(std::string(op) + ": needs at least one input");
  Recording<T>& recording = recording_of(op, inputs[0]);
  const typename Recording<T>::Use use(recording, op);
  auto& [ids, shapes, operands] = recording.scratch(inputs.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) ids[k] = recording.check(op, inputs[k]);
  return detail::record_structural<Rule, T>(rule, recording, ids, shapes, operands);
}

template <Structural Rule, class T, std::same_as<Variable<T>>... Rest>
auto apply(const Rule& rule, Variable<T> first, Rest... rest) {
  constexpr std::size_t count = 1 + sizeof...(Rest);
  const char* op = Rule::info.name;
  Recording<T>& recording = recording_of(op, first);
  const typename Recording<T>::Use use(recording, op);
  const std::array<SlotId, count> ids{recording.check(op, first), recording.check(op, rest)...};
  std::array<const Shape*, count> shapes;
  std::array<Operand<const T>, count> operands;
  return detail::record_structural<Rule, T>(rule, recording, ids, shapes, operands);
}

}  // namespace autograd
