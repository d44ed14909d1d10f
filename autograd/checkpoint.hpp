// checkpoint(): forget what a segment computed, and compute it again in the sweep. Memory for time.
#pragma once

#include <type_traits>
#include <vector>

#include "autograd/apply.hpp"
#include "autograd/error.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/ops/shape.hpp"

namespace autograd {

namespace detail {

/// f of inputs, of which only the outputs are kept. The gradients are those of f recorded again on the workspace.
template <class F, class T, std::size_t N>
struct Checkpoint {
  static constexpr OpInfo info{.name = "checkpoint",
                               .inputs = OpInfo::any,
                               .outputs = OpInfo::any,
                               .vjp_reads = Reads::inputs,
                               .analytic = false,
                               .replayable = false};
  F f;
  Tape<T>* workspace;
  std::size_t arguments;  ///< inputs of f; the parameters that it reads by itself are the others
  std::array<Operand<const T>, N> results;

  /// f on the workspace, cleared before.
  template <class InputOf>
  std::array<Variable<T>, N> run(std::vector<Variable<T>>& inputs, InputOf input_of) const {
    workspace->clear();
    inputs.clear();
    for (std::size_t k = 0; k < arguments; ++k) inputs.push_back(input_of(k));
    const std::array<Variable<T>, N> outputs = f(std::span<const Variable<T>>(inputs));
    for (const Variable<T>& output : outputs) workspace->recording().check("checkpoint", output);
    return outputs;
  }

  std::array<Shape, N> infer(Shapes) const {
    std::array<Shape, N> shapes;
    for (std::size_t k = 0; k < N; ++k) shapes[k] = *results[k].shape;
    return shapes;
  }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    if constexpr (std::is_same_v<V, T>)
      for (std::size_t k = 0; k < N; ++k) std::copy_n(results[k].data, results[k].size(), call.output(k).data);
    else
      throw ValueError("checkpoint: has no complex form");
  }
  void backward_into(Backward<T>& call) const {
    std::vector<Variable<T>> inputs;
    const auto outputs = run(inputs, [&](std::size_t k) {
      const Array<T> value = view(call.input(k).data, *call.input(k).shape);
      return call.wants(k) ? workspace->variable(value) : workspace->constant(value);
    });
    const Recording<T>& again = workspace->recording();
    bool same = again.parameter_count() == call.inputs() - arguments;
    for (std::size_t k = arguments; same && k < call.inputs(); ++k)
      same = call.sweep().is_parameter_of(call.sweep().input(call.step(), k), again, k - arguments);
    for (std::size_t k = 0; same && k < N; ++k) same = outputs[k].shape() == *call.output(k).shape;
    if (!same)
      throw TapeError(
          "checkpoint: its function read other parameters, or made other shapes, than when it was recorded; it must do "
          "the same both times");
    Variable<T> total = workspace->constant(Shape{}, T(0));
    for (std::size_t k = 0; k < N; ++k)
      if (call.has_gradient(k)) {
        const Array<T> gradient = view(call.gradient(k).data, *call.gradient(k).shape);
        total = total + sum_to(outputs[k] * workspace->constant(gradient), Shape{});
      }
    const bool depends = total.needs_gradient();
    if (depends) workspace->backward_apart(total);
    for (std::size_t k = 0; k < call.inputs(); ++k) {
      if (!call.wants(k)) continue;
      const std::size_t size = call.input(k).size();
      if (k < arguments) {
        const Array<T> gradient = depends ? workspace->gradient(inputs[k]) : zeros<T>(*call.input(k).shape);
        add(gradient.data(), size, call.into(k));
      } else if (const SlotId id = again.parameter_slot(k - arguments);
                 depends && workspace->sweep().has_gradient(id)) {
        add(again.slot(id).gradient, size, call.into(k));
      }
    }
    workspace->clear();
  }
  static void add(const T* gradient, std::size_t size, const Destination<T>& to) {
    for (std::size_t at = 0; at < size; ++at) to.data[at] = to.accumulate ? to.data[at] + gradient[at] : gradient[at];
  }
  void vjp(Recorder<T>&) const {
    throw TapeError("checkpoint: grad() can not record through it; use backward(), or call the segment directly");
  }
};

}  // namespace detail

/// f(inputs), where f takes a span of Variables and returns a std::array of them. What f records is dropped, and
/// recorded again when backward() comes by, on the workspace: a second tape, which several segments can share, but not
/// one inside another. Parameters that f reads by itself receive their gradients. The gradients are the bits that f
/// recorded directly would give, if nothing but f reads its inputs.
///
/// f must give the same both times (dropout: copy the generator into f, and draw from a copy of that), and be trivially
/// destructible, as a lambda with references is. What it refers to, and the workspace, must outlive the tape's
/// generation. Throws TapeError for a function that records on another tape than the workspace; later, grad() through a
/// checkpoint throws TapeError, and so does backward() if f then reads other parameters or makes other shapes.
template <class T, class F>
auto checkpoint(Tape<T>& workspace, const F& f, std::span<const Variable<T>> inputs) {
  constexpr std::size_t count = std::tuple_size_v<decltype(f(inputs))>;
  using Rule = detail::Checkpoint<F, T, count>;
  if (inputs.empty()) throw ShapeError("checkpoint: needs at least one input");
  Tape<T>& tape = tape_of("checkpoint", inputs[0]);
  if (&tape == &workspace) throw TapeError("checkpoint: the workspace is the tape itself; pass a second tape");
  Recording<T>& recording = tape.recording();
  Rule rule{f, &workspace, inputs.size(), {}};
  std::vector<Variable<T>> all(inputs.begin(), inputs.end()), copies;
  const auto outputs = [&] {
    static constexpr Closing segment{"checkpoint",
                                     "its function may record on the workspace only, from the inputs that it is given"};
    const typename Recording<T>::Closed closed(recording, segment);
    return rule.run(copies, [&](std::size_t k) {
      const Slot<T>& slot = recording.slot(recording.check("checkpoint", inputs[k]));
      return workspace.constant(Array<T>(view(static_cast<const T*>(slot.value), *slot.shape)));
    });
  }();
  for (std::size_t k = 0; k < count; ++k) {
    const Slot<T>& slot = workspace.recording().slot(outputs[k].slot());
    rule.results[k] = {slot.value, slot.shape};
  }
  const auto mark = tape.mark();
  try {
    for (std::size_t k = 0; k < workspace.recording().parameter_count(); ++k)
      all.push_back(recording.parameter_of(workspace.recording(), k));
    const auto result = autograd::apply(rule, std::span<const Variable<T>>(all));
    workspace.clear();
    return result;
  } catch (...) {
    tape.rewind(mark);
    throw;
  }
}
template <class T, class F>
auto checkpoint(Tape<T>& workspace, const F& f, std::initializer_list<Variable<T>> inputs) {
  return checkpoint(workspace, f, std::span<const Variable<T>>(inputs.begin(), inputs.size()));
}

}  // namespace autograd
