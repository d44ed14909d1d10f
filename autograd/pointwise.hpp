// pointwise(f): the elementwise part of a cell, written once, as one step with a derived backward.
//
//     constexpr auto lstm_update = autograd::pointwise([](auto zi, auto zf, auto zg, auto zo, auto c_previous) {
//       auto c = sigmoid(zf) * c_previous + sigmoid(zi) * tanh(zg);
//       return std::tuple{sigmoid(zo) * tanh(c), c};
//     });
//     auto [zi, zf, zg, zo] = autograd::blocks<4>(z);
//     auto [h, c] = lstm_update(zi, zf, zg, zo, c_previous);
#pragma once

#include <array>
#include <concepts>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>

#include "autograd/all_or_nothing.hpp"
#include "autograd/apply.hpp"
#include "autograd/compiled_function.hpp"
#include "autograd/gradient.hpp"
#include "autograd/kernels/pointwise_loop.hpp"
#include "autograd/ops/activations.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/ops/trigonometric.hpp"

namespace autograd {

/// Some columns of a value, read where they lie. Everywhere else than in pointwise functions it is a slice.
template <class T>
struct Block {
  using value_type = T;

  Variable<T> source;
  std::size_t start = 0;
  std::size_t columns = 0;  ///< 0: the whole value
  bool donated = false;     ///< see donate()

  Block() = default;
  explicit Block(Variable<T> whole) : source(whole) {}
  explicit Block(Donated<T> whole) : source(whole.x), donated(true) {}
  Block(Variable<T> of, std::size_t first, std::size_t count, bool given_away = false)
      : source(of), start(first), columns(count), donated(given_away) {}

  Shape shape() const {
    Shape own = source.shape();
    if (columns) own.back() = columns;
    return own;
  }
  operator Variable<T>() const {
    if (columns == 0) return source;
    return slice(source, -1, static_cast<Index>(start), static_cast<Index>(start + columns));
  }
};

namespace detail {
template <std::size_t N, class T>
std::array<Block<T>, N> blocks(Variable<T> x, bool donated) {
  const Shape& shape = x.shape();
  if (shape.rank() == 0 || shape.back() % N != 0)
    throw ShapeError("blocks: the last axis of " + to_string(shape) + " is not divisible into " + std::to_string(N) +
                     " equal blocks");
  const std::size_t columns = shape.back() / N;
  std::array<Block<T>, N> result;
  for (std::size_t k = 0; k < N; ++k) result[k] = {x, k * columns, columns, donated};
  return result;
}
}  // namespace detail

/// N equal blocks of columns: `auto [zi, zf, zg, zo] = blocks<4>(z)`. Throws ShapeError unless N divides the last axis.
template <std::size_t N, class T>
std::array<Block<T>, N> blocks(Variable<T> x) {
  return detail::blocks<N>(x, false);
}
/// Of a value that is donated to the one pointwise function that takes all of them.
template <std::size_t N, class T>
std::array<Block<T>, N> blocks(Donated<T> x) {
  return detail::blocks<N>(x.x, true);
}

namespace detail {

template <class X>
inline constexpr bool is_operand = false;
template <class T>
inline constexpr bool is_operand<Variable<T>> = true;
template <class T>
inline constexpr bool is_operand<Donated<T>> = true;
template <class T>
inline constexpr bool is_operand<Block<T>> = true;
template <class X>
inline constexpr bool is_parameter = false;
template <class T>
inline constexpr bool is_parameter<Parameter<T>> = true;

/// An operand as it is, a Parameter on the tape of x.
template <class T, class X>
decltype(auto) operand_beside(const Block<T>& x, X& operand) {
  if constexpr (is_parameter<X>)
    return beside(x.source, operand, "pointwise");
  else
    return (operand);
}

/// Whether recording with this operand adds no leaf.
template <class T, class X>
bool is_held(Tape<T>& tape, X& operand) {
  if constexpr (is_parameter<X>)
    return static_cast<bool>(tape.held(operand));
  else
    return true;
}

/// Where the columns of an operand lie in its slot, against the common shape; false where no layout reaches it.
bool find_layout(const Shape& shape, std::size_t start, std::size_t columns, const Shape& common,
                 kernels::Layout& layout);

}  // namespace detail

namespace ops {

/// How N operands lie, found out once for calls of one function on values of the same shapes.
template <std::size_t N>
struct PointwisePlan {
  std::array<kernels::Layout, N> layouts{};
  std::array<std::uint32_t, N> columns{};  ///< of each operand that is a block, 0 for a whole value
  std::array<bool, N> stores{};            ///< whether the operands on this value fill it, each element once
  std::array<bool, N> reads_once{};        ///< whether they read each of its elements once, as well
  std::array<std::uint8_t, N> first{};     ///< the first operand on the same value
  kernels::Extent extent{};
  const Shape* shape = nullptr;
  std::uint32_t free = ~std::uint32_t(0);  ///< bit k: operand k may be written over; all: not asked yet
  kernels::MemoPlan memo{};                ///< for those

  /// Finds out which operands share a value, once layouts and columns are known.
  void find_shared(const std::array<SlotId, N>& ids, const std::array<std::size_t, N>& widths) {
    for (std::size_t k = 0; k < N; ++k) {
      std::size_t j = 0;
      while (ids[j] != ids[k]) ++j;
      first[k] = static_cast<std::uint8_t>(j);
    }
    for (std::size_t k = 0; k < N; ++k) {
      if (first[k] < k) continue;
      bool once = extent.rows * extent.columns > 0;
      std::size_t filled = columns[k];
      for (std::size_t j = k + 1; j < N; ++j) {
        if (first[j] != k) continue;
        filled += columns[j];
        for (std::size_t i = k; i < j; ++i)
          if (first[i] == k)
            once &= columns[i] > 0 && columns[j] > 0 &&
                    (layouts[i].offset + columns[i] <= layouts[j].offset ||
                     layouts[j].offset + columns[j] <= layouts[i].offset);
      }
      stores[k] = once && (columns[k] == 0 || filled == widths[k]);
      reads_once[k] = stores[k];
      for (std::size_t j = k; j < N; ++j)
        if (first[j] == k && (layouts[j].row_step == 0 || layouts[j].repeats_column)) reads_once[k] = false;
    }
  }

  /// Whether operands share values just as these do.
  bool shares_alike(const std::array<SlotId, N>& ids) const {
    for (std::size_t k = 1; k < N; ++k) {
      if (ids[first[k]] != ids[k]) return false;
      if (first[k] == k)
        for (std::size_t j = 0; j < k; ++j)
          if (ids[j] == ids[k]) return false;
    }
    return true;
  }
};

// y = f(x...), element by element,   dx_k = sum over outputs m of g_m dy_m/dx_k
template <class F, std::size_t N, class = detail::InstructionSet>
struct Pointwise {
  static constexpr OpInfo info{
      .name = "pointwise", .inputs = OpInfo::any, .outputs = OpInfo::any, .vjp_reads = Reads::inputs};
  static constexpr std::size_t arity = N;
  static constexpr std::size_t results = kernels::Results<kernels::ResultOfLanes<F, double, N>>::count;

  F f;
  bool keeps = false;  ///< what the gradient needs
  const PointwisePlan<N>* plan;
  std::array<void*, N> memo{};  ///< over operands that were donated and that the gradient does not read, else null
  void* room = nullptr;         ///< of the rest of it; all of the tape's element type

  std::array<Shape, results> infer(Shapes) const {
    std::array<Shape, results> shapes;
    shapes.fill(*plan->shape);
    return shapes;
  }

  template <class T>
  void forward(const ForwardCall<T>& call) const {
    std::array<const T*, N> in;
    std::array<T*, results> out;
    for (std::size_t k = 0; k < N; ++k) in[k] = call.input(k).data;
    for (std::size_t m = 0; m < results; ++m) out[m] = call.output(m).data;
    run(in, out);
  }
  template <class T>
  void run(const std::array<const T*, N>& in, const std::array<T*, results>& out) const {
    if (keeps)
      kernels::pointwise_forward<true>(f, in, plan->layouts, out, plan->extent, places<T>());
    else
      kernels::pointwise_forward<false>(f, in, plan->layouts, out, plan->extent, kernels::MemoPlaces<T, N>());
  }
  template <class T>
  kernels::MemoPlaces<T, N> places() const {
    kernels::MemoPlaces<T, N> result{static_cast<T*>(room), {}};
    for (std::size_t k = 0; k < N; ++k) result.operands[k] = static_cast<T*>(memo[k]);
    return result;
  }

  /// One by one.
  void forward(const ForwardCall<std::complex<double>>& call) const {
    for (std::size_t row = 0; row < plan->extent.rows; ++row)
      for (std::size_t column = 0; column < plan->extent.columns; ++column) {
        std::array<ComplexLane, N> x;
        for (std::size_t k = 0; k < N; ++k) {
          const kernels::Layout& at = plan->layouts[k];
          x[k] = {call.input(k).data[at.offset + row * at.row_step + (at.repeats_column ? 0 : column)]};
        }
        const auto result = std::apply(f, x);
        using R = kernels::Results<std::remove_cvref_t<decltype(result)>>;
        detail::each<results>([&](auto m) {
          call.output(m).data[row * plan->extent.columns + column] = R::template get<m>(result).value;
        });
      }
  }

  template <class T>
  void backward_into(Backward<T>& call) const {
    std::array<const T*, results> g;
    std::array<const T*, N> in;
    std::array<Destination<T>, N> into;
    for (std::size_t m = 0; m < results; ++m) g[m] = call.has_gradient(m) ? call.gradient(m).data : nullptr;
    for (std::size_t k = 0; k < N; ++k) {
      const SlotId id = call.sweep().input(call.step(), k);
      const Slot<T>& slot = call.sweep().slot(id);
      in[k] = slot.value;
      if (!slot.needs_gradient) {
        into[k] = {nullptr, false};
      } else if (plan->first[k] < k) {
        into[k] = into[plan->first[k]];
      } else {
        into[k] = call.sweep().gradient_into(id);
        if (!plan->stores[k] && !into[k].accumulate) std::fill_n(into[k].data, slot.size, T(0));
        into[k].accumulate |= !plan->stores[k];
      }
    }
    kernels::pointwise_backward(f, g, in, plan->layouts, into, plan->extent, places<T>());
  }

  template <class T>
  void vjp(Recorder<T>& call) const {
    // Fresh names for the inputs, so that an output gradient that depends on them too is no path to them.
    const Recording<T>& recording = call.output().tape().recording();
    const detail::TapePosition begin{recording.step_count(), recording.slot_count()};
    std::array<Variable<T>, N> fresh, operands;
    for (std::size_t k = 0; k < N; ++k) {
      const Variable<T> x = call.input(k);
      fresh[k] = reshape(x, Shape(x.shape()));
      operands[k] = Block<T>(fresh[k], plan->layouts[k].offset, plan->columns[k]);
    }
    std::array<Variable<T>, results> outputs = composed(f, *plan->shape, operands), gradients;
    for (std::size_t m = 0; m < results; ++m)
      if (call.has_gradient(m)) gradients[m] = call.gradient(m);
    const auto parts = detail::record_vjp<T>(begin, outputs, gradients, fresh);
    for (std::size_t k = 0; k < N; ++k)
      if (parts[k]) call.add(k, parts[k]);
  }

  /// f called with Variables: ops of the tape, one by one.
  template <class T>
  static std::array<Variable<T>, results> composed(const F& f, const Shape& shape,
                                                   const std::array<Variable<T>, N>& operands) {
    const auto result = std::apply(f, operands);
    using R = kernels::Results<std::remove_cvref_t<decltype(result)>>;
    std::array<Variable<T>, results> outputs;
    detail::each<results>([&](auto m) { outputs[m] = broadcast_to(R::template get<m>(result), shape); });
    return outputs;
  }
};

}  // namespace ops

/// What pointwise() returns: f, to be called with Variables and Blocks.
template <class F>
struct PointwiseFunction {
  F f;

  /// Operands are broadcast as in NumPy to one common shape, which all results have: a Variable, or an array of as
  /// many as f returns in a tuple. Full operands, rows, columns (..., 1), scalars and blocks are read where they lie.
  /// Throws ShapeError for shapes that do not broadcast, TapeError for stale or foreign handles.
  template <class First, class... Rest>
  requires(detail::is_operand<First> && (detail::is_operand<Rest> && ...)) auto operator()(const First& first,
                                                                                           const Rest&... rest) const {
    using T = typename First::value_type;
    static_assert((std::is_same_v<typename Rest::value_type, T> && ...), "pointwise: operands of one element type");
    static_assert(sizeof...(Rest) < 32, "pointwise: at most 32 operands");
    static_assert(std::is_invocable_v<const F&, Simd<T>, kernels::Repeated<sizeof(Rest), Simd<T>>...>,
                  "pointwise: the function takes another number of arguments, or arguments that are not `auto`");
    return call<T>(std::array<Block<T>, 1 + sizeof...(Rest)>{Block<T>(first), Block<T>(rest)...});
  }

  /// The same with Parameters, which are on the tape of the first operand.
  template <class First, class... Rest>
  requires(detail::is_operand<First> && (detail::is_parameter<std::remove_reference_t<Rest>> || ...)) auto operator()(
      const First& first, Rest&&... rest) const {
    const Block block(first);
    Tape<typename First::value_type>& tape = tape_of("pointwise", block.source);
    const auto call = [&] { return (*this)(first, detail::operand_beside(block, rest)...); };
    return (detail::is_held(tape, rest) && ...) ? call() : all_or_nothing(tape, call);
  }

  /// Inside another pointwise function it is just f.
  template <class First, class... Rest>
  requires(kernels::is_lane<First>) WENGERT_INLINE auto operator()(const First& first, const Rest&... rest) const {
    return f(first, rest...);
  }

 private:
  template <std::size_t N>
  using Plan = ops::PointwisePlan<N>;

  template <class T, class = detail::InstructionSet, std::size_t N>
  auto call(const std::array<Block<T>, N>& operands) const {
    using Result = kernels::ResultOfLanes<F, T, N>;
    using Rule = ops::Pointwise<F, N>;
    detail::each<Rule::results>([](auto m) {
      static_assert(
          kernels::is_lane<
              std::remove_cvref_t<decltype(kernels::Results<Result>::template get<m>(std::declval<const Result&>()))>>,
          "pointwise: every result has to be computed from the arguments; a plain number is not");
    });

    Recording<T>& recording = recording_of("pointwise", operands[0].source);
    const typename Recording<T>::Use use(recording, "pointwise");
    std::array<SlotId, N> ids;
    for (std::size_t k = 0; k < N; ++k) ids[k] = recording.check("pointwise", operands[k].source);
    if (recording.op_by_op()) return composed<T, N>(operands);
    const Plan<N>* plan = plan_of_before(recording, ids, operands);
    if (!plan) plan = &new_plan(recording, ids, operands);
    Rule& rule = recording.template emplace<Rule>(f, false, plan);

    std::array<const T*, N> in;
    bool needs_gradient = false;
    for (std::size_t k = 0; k < N; ++k) {
      const Slot<T>& slot = recording.slot(ids[k]);
      needs_gradient |= slot.needs_gradient;
      in[k] = slot.value;
    }
    if (needs_gradient) keep(recording, rule, ids, operands);

    const SlotId first = static_cast<SlotId>(recording.slot_count());
    std::array<T*, Rule::results> out;
    std::array<Variable<T>, Rule::results> results;
    for (std::size_t m = 0; m < Rule::results; ++m) {
      const SlotId id = recording.new_slot(plan->shape, plan->extent.rows * plan->extent.columns, needs_gradient);
      out[m] = recording.slot(id).value;
      results[m] = recording.handle(id);
    }
    rule.run(in, out);
    recording.push_step(&detail::Table<Rule, T>::table, &rule, ids, first, Rule::results);
    return unwrapped(results);
  }

  /// The plan of an earlier call of this function on operands that lie alike, such as that of the time before.
  template <class T, std::size_t N>
  WENGERT_INLINE const Plan<N>* plan_of_before(const Recording<T>& recording, const std::array<SlotId, N>& ids,
                                               const std::array<Block<T>, N>& operands) const {
    using Rule = ops::Pointwise<F, N>;
    const auto lies_alike = [&](const Step<T>& step) {
      const Rule& rule = *static_cast<const Rule*>(step.rule);
      for (std::size_t k = 0; k < N; ++k)
        if (recording.slot(ids[k]).shape != recording.slot(recording.input(step, k)).shape ||
            operands[k].columns != rule.plan->columns[k] ||
            (operands[k].columns > 0 && operands[k].start != rule.plan->layouts[k].offset))
          return false;
      if constexpr (!std::is_empty_v<F>)
        // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): where only padding differs, a plan is made anew
        if (std::memcmp(&rule.f, &f, sizeof(F)) != 0) return false;
      return rule.plan->shares_alike(ids);
    };
    const Step<T>* before = recording.recent(&detail::Table<Rule, T>::table, lies_alike);
    return before ? static_cast<const Rule*>(before->rule)->plan : nullptr;
  }

  template <class T, std::size_t N>
  [[gnu::noinline]] const Plan<N>& new_plan(Recording<T>& recording, std::array<SlotId, N>& ids,
                                            const std::array<Block<T>, N>& operands) const {
    Plan<N>& plan = recording.template emplace<Plan<N>>();
    for (std::size_t k = 0; k < N; ++k) plan.columns[k] = static_cast<std::uint32_t>(operands[k].columns);
    if (!lies_plainly(recording, ids, operands, plan)) lay_out(recording, ids, operands, plan);
    std::array<std::size_t, N> widths;
    for (std::size_t k = 0; k < N; ++k) {
      const Shape& shape = *recording.slot(ids[k]).shape;
      widths[k] = shape.rank() ? shape.back() : 1;
    }
    plan.find_shared(ids, widths);
    return plan;
  }

  /// Finds the places of what the gradient needs, over operands that were donated or else in a room of its own.
  template <class T, std::size_t N, class Rule>
  WENGERT_INLINE static void keep(Recording<T>& recording, Rule& rule, const std::array<SlotId, N>& ids,
                                  const std::array<Block<T>, N>& operands) {
    const Plan<N>& plan = *rule.plan;
    std::uint32_t free = 0;
    for (std::size_t k = 0; k < N; ++k)
      if (operands[k].donated &&
          (plan.first[k] < k ? free >> plan.first[k] & 1 : plan.reads_once[k] && recording.take(ids[k], ids)))
        free |= std::uint32_t(1) << k;
    if (free != plan.free) rule.plan = &plan_for(recording, rule, free);
    const kernels::MemoPlan& memo = rule.plan->memo;
    for (std::size_t k = 0; k < N; ++k)
      if (memo.operands >> k & 1) rule.memo[k] = recording.slot(ids[k]).value;
    if (memo.others > 0)
      rule.room = recording.room(kernels::blocks_of<T>(plan.extent) * memo.others * detail::lane_width<T>);
    rule.keeps = true;
  }

  template <class T, class Rule>
  [[gnu::noinline]] static const auto& plan_for(Recording<T>& recording, const Rule& rule, std::uint32_t free) {
    auto& plan = recording.template emplace<std::remove_cvref_t<decltype(*rule.plan)>>(*rule.plan);
    plan.free = free;
    plan.memo = kernels::memo_plan<Rule::arity>(rule.f, free);
    return plan;
  }

  /// The common case: whole operands of one shape, and blocks of values that are wider.
  template <class T, std::size_t N>
  static bool lies_plainly(Recording<T>& recording, const std::array<SlotId, N>& ids,
                           const std::array<Block<T>, N>& operands, Plan<N>& plan) {
    const Shape* common = nullptr;
    for (std::size_t k = N; k-- > 0;)
      if (operands[k].columns == 0) common = recording.slot(ids[k]).shape;
    if (!common || common->rank() == 0) return false;
    const std::size_t width = common->back();
    bool blocks = false;
    for (std::size_t k = 0; k < N; ++k) {
      const Shape* shape = recording.slot(ids[k]).shape;
      const std::size_t columns = operands[k].columns;
      if (columns == 0) {
        if (shape != common && !(*shape == *common)) return false;
        plan.layouts[k] = {0, static_cast<std::uint32_t>(width), false};
      } else {
        if (columns != width || shape->rank() != common->rank() ||
            !std::equal(shape->begin(), shape->end() - 1, common->begin()))
          return false;
        plan.layouts[k] = {static_cast<std::uint32_t>(operands[k].start), static_cast<std::uint32_t>(shape->back()),
                           false};
        blocks = true;
      }
    }
    const std::size_t size = common->elements();
    plan.extent = blocks ? kernels::Extent{width ? size / width : 0, width} : kernels::Extent{1, size};
    plan.shape = common;
    return true;
  }

  /// Any operands. One that no layout reaches is stretched first.
  template <class T, std::size_t N>
  static void lay_out(Recording<T>& recording, std::array<SlotId, N>& ids, const std::array<Block<T>, N>& operands,
                      Plan<N>& plan) {
    const Shape common = common_shape(operands);
    for (std::size_t k = 0; k < N; ++k) {
      if (detail::find_layout(*recording.slot(ids[k]).shape, operands[k].start, operands[k].columns, common,
                              plan.layouts[k]))
        continue;
      ids[k] = broadcast_to(Variable<T>(operands[k]), common).slot();
      plan.columns[k] = 0;
      detail::find_layout(common, 0, 0, common, plan.layouts[k]);
    }
    const std::size_t size = common.elements(), width = common.rank() ? common.back() : 1;
    plan.extent = {width ? size / width : 0, width};
    plan.shape = recording.keep(common);
  }

  template <class T, std::size_t N>
  [[gnu::noinline]] auto composed(const std::array<Block<T>, N>& operands) const {
    if (auto* const functions = operands[0].source.tape().recording().compiled_functions())
      functions->push_back(compile_function<T, N>(f));
    std::array<Variable<T>, N> whole;
    for (std::size_t k = 0; k < N; ++k) whole[k] = operands[k];
    return unwrapped(ops::Pointwise<F, N>::template composed<T>(f, common_shape(operands), whole));
  }

  template <class T, std::size_t N>
  static Shape common_shape(const std::array<Block<T>, N>& operands) {
    Shape common = operands[0].shape();
    for (std::size_t k = 1; k < N; ++k) common = broadcast("pointwise", common, operands[k].shape());
    return common;
  }

  template <class T, std::size_t M>
  static auto unwrapped(const std::array<Variable<T>, M>& results) {
    if constexpr (M == 1)
      return results[0];
    else
      return results;
  }
};

/// f as one step of the tape: one vectorised loop forwards, and one backwards with slopes derived from the rules of the
/// ops it calls. f takes `auto` arguments and returns one value or a std::tuple of them; it may capture numbers, and
/// use the elementwise functions of the recording. Gradients of any order are exact: a recorded gradient calls f with
/// Variables.
template <class F>
constexpr PointwiseFunction<F> pointwise(F f) {
  static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>,
                "pointwise: capture numbers only; arrays and Variables are arguments");
  return {f};
}

}  // namespace autograd
