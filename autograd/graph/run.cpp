#include "autograd/graph/run.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "autograd/error.hpp"
#include "autograd/graph/fold.hpp"
#include "autograd/graph/matching.hpp"
#include "autograd/kernels/row_products.hpp"

namespace autograd {

namespace {

using kernels::padded;

/// What is done in a step, one after the other.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual void run() noexcept = 0;
  virtual std::string print() const = 0;
};

/// A step by its op's forward.
template <class T>
class Call final : public Operation {
 public:
  Call(const GraphOp<T>& op, std::shared_ptr<const void> rule, std::vector<Operand<const T>> inputs,
       std::vector<Operand<T>> outputs, std::shared_ptr<const std::vector<Shape>> shapes)
      : op_(op), rule_(std::move(rule)), inputs_(std::move(inputs)), outputs_(std::move(outputs)), shapes_(shapes) {}
  void run() noexcept override { op_.forward(rule_.get(), {inputs_, outputs_}); }
  std::string print() const override { return std::string(op_.name()); }

 private:
  const GraphOp<T>& op_;
  std::shared_ptr<const void> rule_;
  std::vector<Operand<const T>> inputs_;
  std::vector<Operand<T>> outputs_;
  std::shared_ptr<const std::vector<Shape>> shapes_;
};

template <class T>
class Product final : public Operation {
 public:
  Product(kernels::RowProducts<T> product, std::vector<const T*> rows, const T* start, T* result)
      : product_(std::move(product)), rows_(std::move(rows)), start_(start), result_(result) {}
  void run() noexcept override { product_.run(rows_.data(), start_, result_); }
  std::string print() const override { return "product " + product_.print(); }

 private:
  kernels::RowProducts<T> product_;
  std::vector<const T*> rows_;
  const T* start_;
  T* result_;
};

/// A compiled function, element by element over values of one shape.
template <class T>
class Function final : public Operation {
 public:
  Function(const CompiledFunction<T>& function, std::vector<const T*> arguments, std::vector<T*> results,
           std::size_t size)
      : captured_(function.captured),
        run_(function.run),
        arguments_(std::move(arguments)),
        results_(std::move(results)),
        size_(size) {}
  void run() noexcept override { run_(captured_.data(), arguments_.data(), results_.data(), size_); }
  std::string print() const override {
    return "function of " + std::to_string(arguments_.size()) + " -> " + std::to_string(results_.size()) + " x (" +
           std::to_string(size_) + ")";
  }

 private:
  std::vector<std::byte> captured_;
  decltype(CompiledFunction<T>::run) run_;
  std::vector<const T*> arguments_;
  std::vector<T*> results_;
  std::size_t size_;
};

template <class T>
class Copy final : public Operation {
 public:
  Copy(const T* from, T* to, std::size_t size) : from_(from), to_(to), size_(size) {}
  void run() noexcept override { std::copy_n(from_, size_, to_); }
  std::string print() const override { return "copy of (" + std::to_string(size_) + ")"; }

 private:
  const T* from_;
  T* to_;
  std::size_t size_;
};

}  // namespace

template <class T>
struct GraphRun<T>::Plan {
  kernels::AlignedVector<T> memory;
  std::vector<std::unique_ptr<Operation>> operations;
  std::vector<T*> inputs, states;
  std::vector<const T*> outputs;
  std::vector<std::vector<T>> initial;
  std::deque<std::vector<T>> swaps;  ///< where values wait that would be written over
  unsigned steps = 0;

  /// Sets what of the states is next to nothing to 0, before it decays into the numbers that arithmetic is slow on. Now
  /// and then is enough: whatever is larger needs longer than that to get there, or is through in a few steps.
  void flush_states() noexcept {
    constexpr T tiny = sizeof(T) == 4 ? T(1e-30) : T(1e-290);
    for (std::size_t k = 0; k < states.size(); ++k) {
      T* const state = states[k];
      const std::size_t size = initial[k].size();
      for (std::size_t at = 0; at < size; ++at) state[at] = std::abs(state[at]) < tiny ? T(0) : state[at];
    }
  }
};

namespace {

/// Chooses the operations of a graph, from the last step to the first, and then finds a place for every value.
template <class T>
class Planner {
 public:
  using Id = typename Graph<T>::Id;
  Planner(const Graph<T>& graph, const std::vector<CompiledFunction<T>>& functions)
      : graph_(graph),
        shapes_(std::make_shared<std::vector<Shape>>()),
        folded_(fold_constants(graph)),
        constant_(folded_.is_constant),
        data_(folded_.data),
        maker_(graph.values.size(), none),
        uses_(graph.values.size()),
        needed_(graph.values.size()),
        place_(graph.values.size()) {
    for (const auto& value : graph.values) shapes_->push_back(value.shape);
    for (const auto* const list : {&graph.functions, &functions})
      for (const auto& function : *list) functions_.push_back(&function);
  }

  void plan(auto& plan) {
    count_uses();
    choose();
    find_places();
    emit(plan);
  }

 private:
  static constexpr std::size_t none = ~std::size_t(0);

  /// What takes the place of one or more steps.
  struct Chosen {
    enum class Kind { call, product, function } kind;
    std::size_t step;  ///< the last of them
    std::vector<Id> reads, writes;
    std::vector<std::size_t> products = {};  ///< the steps whose products are added up, the first with the start
    const CompiledFunction<T>* function = nullptr;
    std::vector<std::optional<Id>> results = {};
  };
  /// Where a value lies: in the memory of another, or its own.
  struct Place {
    std::optional<Id> within;
    std::size_t offset = 0;
  };

  std::size_t size(Id id) const { return graph_.shape(id).elements(); }

  void count_uses() {
    for (std::size_t k = 0; k < graph_.steps.size(); ++k)
      for (const Id id : graph_.steps[k].outputs) maker_[id] = k;
    for (std::size_t k = 0; k < graph_.steps.size(); ++k)
      if (!constant_[graph_.steps[k].outputs[0]])
        for (const Id id : graph_.steps[k].inputs) uses_[id].push_back(k);
    for (const auto& port : graph_.outputs) kept_.insert(port.value);
    for (const auto& state : graph_.states) kept_.insert(state.output);
  }

  // Which operations.

  void need(Id id) {
    needed_[id] = true;
    if (place_[id].within) need(*place_[id].within);
  }

  void choose() {
    find_aliases();
    const detail::Formulas<T> formulas(graph_, constant_);
    for (const Id id : kept_) need(id);
    std::vector<bool> done(graph_.values.size());
    for (std::size_t k = graph_.steps.size(); k-- > 0;) {
      const auto& step = graph_.steps[k];
      const bool wanted = std::any_of(step.outputs.begin(), step.outputs.end(),
                                      [&](Id id) { return needed_[id] && !done[id] && !place_[id].within; });
      if (!wanted || constant_[step.outputs[0]]) continue;
      Chosen chosen = chosen_for(k, formulas);
      for (const Id id : chosen.writes) done[id] = true;
      for (const Id id : chosen.reads) need(id);
      chosen_.push_back(std::move(chosen));
    }
    std::reverse(chosen_.begin(), chosen_.end());
  }

  Chosen chosen_for(std::size_t k, const detail::Formulas<T>& formulas) {
    const auto& step = graph_.steps[k];
    if (step.op->elementwise)
      for (const CompiledFunction<T>* const function : functions_)
        if (auto match = formulas.match(*function, step.outputs[0]); match && fits(*match, k)) {
          Chosen chosen{Chosen::Kind::function, k, match->arguments, {}};
          for (const auto& result : match->results)
            if (result) chosen.writes.push_back(*result);
          chosen.function = function;
          chosen.results = std::move(match->results);
          return chosen;
        }
    if (is_product(k)) {
      Chosen chosen{Chosen::Kind::product, k, {}, step.outputs};
      for (std::size_t at = k;;) {
        const auto& linear = graph_.steps[at];
        chosen.products.push_back(at);
        chosen.reads.push_back(linear.inputs[0]);
        if (linear.inputs.size() < 3) break;
        const Id start = linear.inputs[2];
        const bool alone = maker_[start] != none && uses_[start].size() == 1 && !kept_.count(start);
        if (!constant_[start] && alone && is_product(maker_[start])) {
          at = maker_[start];
          continue;
        }
        chosen.reads.push_back(start);
        break;
      }
      return chosen;
    }
    return {Chosen::Kind::call, k, step.inputs, step.outputs};
  }

  /// One row times a weight that does not change.
  bool is_product(std::size_t k) const {
    const auto& step = graph_.steps[k];
    return step.op->name() == "linear" && constant_[step.inputs[1]] && size(step.inputs[1]) > 0 &&
           size(step.inputs[0]) == graph_.shape(step.inputs[1])[1];
  }

  /// Whether a function may be called where its last result is computed: each argument is there before, and nobody
  /// wants another result earlier.
  bool fits(const typename detail::Formulas<T>::Match& match, std::size_t k) const {
    const auto before = [&](Id id, std::size_t step) { return maker_[id] == none || maker_[id] < step; };
    for (const auto& result : match.results) {
      if (!result) continue;
      if (maker_[*result] == none || maker_[*result] > k || place_[*result].within) return false;
      for (const std::size_t use : uses_[*result])
        if (use <= k && use != k && !is_inner(use, match)) return false;
    }
    return std::all_of(match.arguments.begin(), match.arguments.end(), [&](Id id) { return before(id, k); });
  }
  /// Whether a step is one that the function takes the place of: elementwise, and used by nothing else.
  bool is_inner(std::size_t step, const typename detail::Formulas<T>::Match& match) const {
    const Id id = graph_.steps[step].outputs[0];
    if (!graph_.steps[step].op->elementwise) return false;
    for (const auto& result : match.results)
      if (result && *result == id) return true;
    if (kept_.count(id)) return false;
    return std::all_of(uses_[id].begin(), uses_[id].end(), [&](std::size_t use) { return is_inner(use, match); });
  }

  // Where values lie.

  void find_aliases() {
    for (const auto& step : graph_.steps) {
      if (constant_[step.outputs[0]]) continue;
      const auto aliases = aliases_of(graph_, step);
      for (std::size_t k = 0; k < aliases.size(); ++k) place_[step.outputs[k]] = {aliases[k].source, aliases[k].offset};
    }
  }

  std::pair<Id, std::size_t> origin(Id id) const {
    std::size_t offset = 0;
    for (; place_[id].within; id = *place_[id].within) offset += place_[id].offset;
    return {id, offset};
  }

  void find_places() {
    // A next state lies where the state does if nobody reads that any more when it is written.
    std::set<Id> taken;
    for (const auto& state : graph_.states) {
      const Id next = state.output;
      if (next == state.input || constant_[next] || place_[next].within || taken.count(next)) continue;
      const auto writes = [&](const Chosen& chosen) {
        return std::find(chosen.writes.begin(), chosen.writes.end(), next) != chosen.writes.end();
      };
      const auto writer = std::find_if(chosen_.begin(), chosen_.end(), writes);
      if (writer == chosen_.end()) continue;
      bool free = true;
      for (auto reader = chosen_.begin(); reader != chosen_.end(); ++reader)
        for (const Id id : reader->reads) {
          const auto [source, offset] = origin(id);
          if (source != state.input) continue;
          const bool same_element = reader == writer && writer->kind == Chosen::Kind::function && offset == 0;
          free &= reader < writer || same_element;
        }
      for (const Id id : kept_) free &= origin(id).first != state.input;
      if (!free) continue;
      place_[next] = {state.input, 0};
      taken.insert(next);
    }
  }

  void emit(auto& plan) {
    // Each value that is not within another has room of its own, and there is some more behind the last.
    std::vector<std::size_t> at(graph_.values.size());
    std::size_t total = 0;
    const auto reserve = [&](Id id) {
      at[id] = total;
      total += padded(size(id));
    };
    std::vector<bool> stored(graph_.values.size());
    const auto store = [&](Id id) {
      id = origin(id).first;
      if (!stored[id]) reserve(id);
      stored[id] = true;
    };
    for (const auto& port : graph_.inputs) store(port.value);
    for (const auto& state : graph_.states) store(state.input);
    for (std::size_t id = 0; id < graph_.values.size(); ++id)
      if (needed_[id]) store(static_cast<Id>(id));
    for (const Chosen& chosen : chosen_)
      for (const Id id : chosen.writes) store(id);
    const std::size_t scratch = total;  // of results that nobody reads, and zeros to start from
    std::size_t most = 0;
    for (const auto& value : graph_.values) most = std::max(most, padded(value.shape.elements()));
    const std::size_t zeros = scratch + most;
    plan.memory.resize(zeros + most + 16 * kernels::row_padding);
    const auto pointer = [&](Id id) {
      const auto [source, offset] = origin(id);
      return plan.memory.data() + at[source] + offset;
    };
    for (std::size_t id = 0; id < graph_.values.size(); ++id)
      if (constant_[id] && stored[id]) std::copy_n(data_[id], size(static_cast<Id>(id)), plan.memory.data() + at[id]);

    for (const Chosen& chosen : chosen_) {
      const auto& step = graph_.steps[chosen.step];
      switch (chosen.kind) {
        case Chosen::Kind::call: {
          std::vector<Operand<const T>> inputs;
          std::vector<Operand<T>> outputs;
          for (const Id id : step.inputs) inputs.push_back({pointer(id), &(*shapes_)[id]});
          for (const Id id : step.outputs) outputs.push_back({pointer(id), &(*shapes_)[id]});
          plan.operations.push_back(
              std::make_unique<Call<T>>(*step.op, step.rule, std::move(inputs), std::move(outputs), shapes_));
          break;
        }
        case Chosen::Kind::product: {
          std::vector<kernels::RowFactor<T>> factors;
          std::vector<const T*> rows;
          const T* start = plan.memory.data() + zeros;
          for (const std::size_t at_step : chosen.products) {
            const auto& linear = graph_.steps[at_step];
            factors.push_back({size(linear.inputs[0]), data_[linear.inputs[1]]});
            rows.push_back(pointer(linear.inputs[0]));
            if (at_step == chosen.products.back() && linear.inputs.size() == 3) start = pointer(linear.inputs[2]);
          }
          plan.operations.push_back(
              std::make_unique<Product<T>>(kernels::RowProducts<T>(size(step.outputs[0]), factors), std::move(rows),
                                           start, pointer(step.outputs[0])));
          break;
        }
        case Chosen::Kind::function: {
          std::vector<const T*> arguments;
          std::vector<T*> results;
          for (const Id id : chosen.reads) arguments.push_back(pointer(id));
          for (const auto& result : chosen.results)
            results.push_back(result ? pointer(*result) : plan.memory.data() + scratch);
          plan.operations.push_back(std::make_unique<Function<T>>(*chosen.function, std::move(arguments),
                                                                  std::move(results), size(step.outputs[0])));
        }
      }
    }
    // What could not be written in place is carried over when the step is done; two states may change places.
    std::vector<std::unique_ptr<Operation>> second;
    std::vector<std::pair<std::size_t, Id>> moves;
    for (std::size_t k = 0; k < graph_.states.size(); ++k)
      if (pointer(graph_.states[k].output) != pointer(graph_.states[k].input))
        moves.emplace_back(k, graph_.states[k].output);
    for (const auto& [k, from] : moves) {
      const auto& state = graph_.states[k];
      const bool is_state =
          std::any_of(graph_.states.begin(), graph_.states.end(),
                      [&, from = from](const auto& other) { return origin(from).first == other.input; });
      const std::size_t count = size(state.input);
      if (!is_state) {
        second.push_back(std::make_unique<Copy<T>>(pointer(from), pointer(state.input), count));
        continue;
      }
      plan.swaps.emplace_back(count);
      T* const between = plan.swaps.back().data();
      plan.operations.push_back(std::make_unique<Copy<T>>(pointer(from), between, count));
      second.push_back(std::make_unique<Copy<T>>(between, pointer(state.input), count));
    }
    for (const auto& port : graph_.inputs) plan.inputs.push_back(pointer(port.value));
    for (const auto& port : graph_.outputs) {
      // An output that is a state's old value would be written over before anybody reads it.
      const T* from = pointer(port.value);
      const bool old = std::any_of(graph_.states.begin(), graph_.states.end(), [&](const auto& state) {
        return origin(port.value).first == state.input && place_[state.output].within != std::optional<Id>(state.input);
      });
      if (old) {
        plan.swaps.emplace_back(size(port.value));
        plan.operations.push_back(std::make_unique<Copy<T>>(from, plan.swaps.back().data(), size(port.value)));
        from = plan.swaps.back().data();
      }
      plan.outputs.push_back(from);
    }
    for (auto& move : second) plan.operations.push_back(std::move(move));
    for (const auto& state : graph_.states) {
      plan.states.push_back(pointer(state.input));
      plan.initial.push_back(state.initial);
    }
  }

  const Graph<T>& graph_;
  std::vector<const CompiledFunction<T>*> functions_;
  std::shared_ptr<std::vector<Shape>> shapes_;
  const Folded<T> folded_;
  const std::vector<bool>& constant_;
  const std::vector<const T*>& data_;           ///< of constants
  std::vector<std::size_t> maker_;              ///< the step that computes a value
  std::vector<std::vector<std::size_t>> uses_;  ///< the steps that read it
  std::set<Id> kept_;                           ///< outputs and next states
  std::vector<bool> needed_;
  std::vector<Place> place_;
  std::vector<Chosen> chosen_;
};

}  // namespace

template <class T>
GraphRun<T>::GraphRun(const Graph<T>& graph, const std::vector<CompiledFunction<T>>& functions)
    : plan_(std::make_unique<Plan>()) {
  check(graph);
  Planner<T>(graph, functions).plan(*plan_);
  reset();
}
template <class T>
GraphRun<T>::GraphRun(GraphRun&&) noexcept = default;
template <class T>
GraphRun<T>& GraphRun<T>::operator=(GraphRun&&) noexcept = default;
template <class T>
GraphRun<T>::~GraphRun() = default;

template <class T>
T* GraphRun<T>::input(std::size_t k) noexcept {
  return plan_->inputs[k];
}
template <class T>
const T* GraphRun<T>::output(std::size_t k) const noexcept {
  return plan_->outputs[k];
}
template <class T>
const T* GraphRun<T>::state(std::size_t k) const noexcept {
  return plan_->states[k];
}

template <class T>
void GraphRun<T>::step() noexcept {
  Plan& plan = *plan_;
  if (++plan.steps % 16 == 0) plan.flush_states();
  for (const auto& operation : plan.operations) operation->run();
}

template <class T>
void GraphRun<T>::reset() noexcept {
  for (std::size_t k = 0; k < plan_->states.size(); ++k)
    std::copy(plan_->initial[k].begin(), plan_->initial[k].end(), plan_->states[k]);
}

template <class T>
std::string GraphRun<T>::print() const {
  std::string text;
  for (const auto& operation : plan_->operations) text += operation->print() + "\n";
  return text;
}

template class GraphRun<float>;
template class GraphRun<double>;

}  // namespace autograd
