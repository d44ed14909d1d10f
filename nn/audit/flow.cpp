#include "nn/audit/flow.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "nn/audit/evaluate.hpp"

namespace nn::audit {

namespace {

Matrix zeros_like(const Matrix& a) { return zeros(a.rows, a.columns); }

class Tracer {
 public:
  Tracer(const Truth& truth, const Derivation& right) : truth_(truth), values_(truth.values), right_(right) {
    for (const Equation& equation : right.equations) {
      if (equation.time.base == Time::Base::t) by_step_.insert(equation.name);
      if (equation.time.base == Time::Base::none && equation.name.starts_with("dW") &&
          values_.find(equation.name.substr(1)))
        weights_.push_back(equation.name);
    }
    // Of packed weights the parts are there as well.
    if (values_.find("dWx"))
      std::erase_if(weights_,
                    [](const std::string& name) { return name.size() == 3 && name[2] != 'x' && name[2] != 'h'; });
  }

  std::map<std::string, std::vector<Shares>> shares() const {
    std::map<std::string, std::vector<Shares>> result;
    for (const std::string& name : by_step_) {
      if (!name.starts_with("dz") || !values_.find(name)) continue;
      for (int t = 1; t <= values_.steps; ++t) {
        const Matrix& total = (*values_.find(name))[t];
        const double size = inner(total, total);
        const auto share = [&](const Evaluation::Override& only) {
          Evaluation evaluation(right_, values_, Mode::cumulative, only);
          return size > 0 ? inner(evaluation.value(name, t), total) / size : 0;
        };
        // What reaches dh[t] from the next step, and nothing else.
        Matrix from_next;
        if (values_.find("dh")) from_next = (*values_.find("dh"))[t] - (*values_.find("direct_h"))[t];
        const auto through_h_alone = [&](const Matrix& dh) {
          return [&, dh](const std::string& other, int at) -> std::optional<Matrix> {
            if (other == "dh" && at == t) return dh;
            if (at == t + 1 && derivative(other) && at <= values_.steps) return zeros_like((*values_.find(other))[at]);
            return {};
          };
        };
        const auto through_c_alone = [&](const std::string& other, int at) -> std::optional<Matrix> {
          if (other == "dh" && at == t) return zeros_like((*values_.find("dh"))[t]);
          if (at == t + 1 && derivative(other) && at <= values_.steps) return (*values_.find(other))[at];
          return {};
        };
        result[name].push_back({share(through_c_alone), share(through_h_alone(from_next)),
                                share(through_h_alone((*values_.find("direct_h"))[t]))});
      }
    }
    return result;
  }

  std::vector<double> norms(const std::string& name) const {
    std::vector<double> result;
    if (const Quantity* const quantity = values_.find(name))
      for (int t = 1; t <= values_.steps; ++t) result.push_back(norm((*quantity)[t].values));
    return result;
  }

  /// How fast the derivative of a loss that reads the last output alone dies out.
  std::size_t memory() const {
    const std::string state = values_.find("dc") ? "dc" : "dh";
    Evaluation evaluation(right_, values_, Mode::cumulative,
                          [&](const std::string& name, int t) -> std::optional<Matrix> {
                            if (name != "direct_h" || t >= values_.steps) return {};
                            return zeros_like((*values_.find("direct_h"))[t]);
                          });
    const double first = norm(evaluation.value(state, values_.steps).values);
    for (int t = values_.steps - 1; t >= 1; --t)
      if (norm(evaluation.value(state, t).values) <= first / std::exp(1.0))
        return static_cast<std::size_t>(values_.steps - t);
    return static_cast<std::size_t>(values_.steps);
  }

  std::vector<Truncation> truncation() const {
    std::vector<Truncation> result;
    const auto steps = static_cast<std::size_t>(values_.steps);
    for (std::size_t k = 1; k < steps; k *= 2) result.push_back(truncated(k));
    result.push_back(truncated(steps));
    return result;
  }

  std::map<char, double> saturation() const {
    std::map<char, double> result;
    for (const char gate : truth_.gates) {
      const Quantity* const value = values_.find(std::string(1, gate));
      if (!value || !value->steps) continue;
      double lowest = 0;  // of tanh -1
      std::size_t near = 0, all = 0;
      for (const Matrix& at : value->at)
        for (const double v : at.values) lowest = std::min(lowest, v < 0 ? -1.0 : 0.0);
      for (const Matrix& at : value->at)
        for (const double v : at.values) {
          near += v > 0.95 || v < lowest + 0.05;
          ++all;
        }
      result[gate] = static_cast<double>(near) / static_cast<double>(all);
    }
    return result;
  }

 private:
  bool derivative(const std::string& name) const { return by_step_.contains(name) && values_.find(name); }

  /// Within pieces of k steps nothing comes from the piece that follows.
  Truncation truncated(std::size_t k) const {
    Values changed = values_;
    const int steps = values_.steps;
    for (int begin = 1; begin <= steps; begin += static_cast<int>(k)) {
      const int end = std::min(begin + static_cast<int>(k) - 1, steps);
      Evaluation piece(right_, values_, Mode::cumulative, [&](const std::string& name, int t) -> std::optional<Matrix> {
        if (t <= end || t > steps || !by_step_.contains(name)) return {};
        const Quantity* const known = values_.find(name);
        return known ? zeros_like((*known)[t]) : Matrix();
      });
      for (const std::string& name : by_step_)
        if (values_.find(name) && name[0] == 'd')
          for (int t = end; t >= begin; --t) {
            Quantity& quantity = changed.named[name];
            quantity.at[static_cast<std::size_t>(t - quantity.first)] = piece.value(name, t);
          }
    }
    Evaluation evaluation(right_, changed, Mode::isolated);
    double across = 0, along = 0, full = 0, off = 0;
    for (const Equation& equation : right_.equations) {
      if (std::find(weights_.begin(), weights_.end(), equation.name) == weights_.end()) continue;
      const Matrix& exact = values_.find(equation.name)->whole();
      const Matrix own = evaluation.value(equation, 0);
      across += inner(own, exact);
      along += inner(own, own);
      full += inner(exact, exact);
      const double distance_here = distance(own, exact);
      off += distance_here * distance_here;
    }
    const double product = std::sqrt(along) * std::sqrt(full);
    return {k, product > 0 ? across / product : 1, full > 0 ? std::sqrt(off / full) : 0};
  }

  const Truth& truth_;
  const Values& values_;
  const Derivation& right_;
  std::set<std::string> by_step_;
  std::vector<std::string> weights_;
};

}  // namespace

Flow flow_of(const Truth& truth, const Derivation& right) {
  const Tracer tracer(truth, right);
  Flow flow{.shares = tracer.shares(),
            .norms = {},
            .saturation = tracer.saturation(),
            .memory = tracer.memory(),
            .truncation = tracer.truncation()};
  for (const char* name : {"dh", "dc"})
    if (auto norms = tracer.norms(name); !norms.empty()) flow.norms[name] = std::move(norms);
  return flow;
}

}  // namespace nn::audit
