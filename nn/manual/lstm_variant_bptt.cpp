// The LSTM's variants by hand, line by line as in the header.
#include "nn/manual/lstm_variant_bptt.hpp"

namespace nn::manual {

using autograd::make_array;
using autograd::Shape;
using autograd::shape_of;
using autograd::ShapeError;
using autograd::zeros;

namespace {

struct Extents {
  std::size_t steps, batch, features, hidden, width;  ///< width: of the state, R

  Shape cells() const { return {steps, batch, hidden}; }
  Shape states() const { return {steps, batch, width}; }
};

/// Throws ShapeError unless everything fits together.
template <class T>
Extents check(const LstmVariant& v, const LstmVariantWeights<T>& w, const Array<T>& x, const Array<T>& h0,
              const Array<T>& c0) {
  const std::string name = "lstm_variant_bptt";
  const Shape Wx = shape_of(w.Wx), input = shape_of(x);
  if (Wx.rank() != 2 || Wx[0] % v.gates() != 0)
    throw ShapeError(name + ": Wx is " + to_string(Wx) + ", expected (" + std::to_string(v.gates()) +
                     " * hidden, features)");
  if (v.norm_groups != 0 && v.norm_groups != 1 && v.norm_groups != v.gates())
    throw ShapeError(name + ": norm_groups is " + std::to_string(v.norm_groups) + ", expected 0, 1 or " +
                     std::to_string(v.gates()));
  if (input.rank() != 3 || input[2] != Wx[1])
    throw ShapeError(name + ": x is " + to_string(input) + ", expected (time, batch, " + std::to_string(Wx[1]) + ")");
  const std::size_t rows = Wx[0], hidden = rows / v.gates();
  const std::string because = "for a hidden size of " + std::to_string(hidden);
  if (v.projection && (w.Wp.dimension() != 2 || w.Wp.shape(1) != hidden))
    throw ShapeError(name + ": Wp is " + to_string(shape_of(w.Wp)) + ", expected (projected, " +
                     std::to_string(hidden) + ")");
  const std::size_t width = v.projection ? w.Wp.shape(0) : hidden;
  expect(name, "Wh", shape_of(w.Wh), {rows, width}, because);
  expect(name, "b", shape_of(w.b), {rows}, because);
  if (v.peephole) {
    expect(name, "pi", shape_of(w.pi), {hidden}, because);
    expect(name, "po", shape_of(w.po), {hidden}, because);
    if (!v.coupled) expect(name, "pf", shape_of(w.pf), {hidden}, because);
  }
  if (v.norm_groups)
    for (const auto& [norm, size] : {std::pair{&w.nx, rows}, std::pair{&w.nh, rows}, std::pair{&w.nc, hidden}}) {
      expect(name, "the gain of a layer norm", shape_of(norm->gain), {size}, because);
      expect(name, "the bias of a layer norm", shape_of(norm->bias), {size}, because);
    }
  expect(name, "h0", shape_of(h0), {input[1], width}, because);
  expect(name, "c0", shape_of(c0), {input[1], hidden}, because);
  return {input[0], input[1], Wx[1], hidden, width};
}

/// a := γ â + β by groups of columns; â and s are kept.
template <class T>
void normalize(const MatrixView<T>& a, const NormWeights<T>& w, double eps, const MatrixView<T>& hat,
               const MatrixView<T>& scale) {
  const std::size_t groups = scale.columns, size = a.columns / groups;
  for (std::size_t row = 0; row < a.rows; ++row)
    for (std::size_t group = 0; group < groups; ++group) {
      T mean = 0, variance = 0;
      for (std::size_t k = group * size; k < (group + 1) * size; ++k) mean += a(row, k) / static_cast<T>(size);
      for (std::size_t k = group * size; k < (group + 1) * size; ++k)
        variance += (a(row, k) - mean) * (a(row, k) - mean) / static_cast<T>(size);
      const T s = scale(row, group) = 1 / std::sqrt(variance + static_cast<T>(eps));
      for (std::size_t k = group * size; k < (group + 1) * size; ++k) {
        hat(row, k) = (a(row, k) - mean) * s;
        a(row, k) = w.gain(k) * hat(row, k) + w.bias(k);
      }
    }
}

/// δy := δa; adds δγ and δβ.
template <class T>
void normalize_backward(const MatrixView<T>& dy, const NormWeights<T>& w, const MatrixView<const T>& hat,
                        const MatrixView<const T>& scale, NormWeights<T>& gradient) {
  const std::size_t groups = scale.columns, size = dy.columns / groups;
  for (std::size_t row = 0; row < dy.rows; ++row)
    for (std::size_t group = 0; group < groups; ++group) {
      T mean = 0, product = 0;  // of δâ, and of δâ â
      for (std::size_t k = group * size; k < (group + 1) * size; ++k) {
        gradient.gain(k) += dy(row, k) * hat(row, k);
        gradient.bias(k) += dy(row, k);
        dy(row, k) *= w.gain(k);
        mean += dy(row, k) / static_cast<T>(size);
        product += dy(row, k) * hat(row, k) / static_cast<T>(size);
      }
      for (std::size_t k = group * size; k < (group + 1) * size; ++k)
        dy(row, k) = scale(row, group) * (dy(row, k) - mean - hat(row, k) * product);
    }
}

/// The columns of one gate in (B, gates H).
template <class T>
MatrixView<T> columns(const MatrixView<T>& a, std::size_t gate, std::size_t hidden) {
  return {a.data + gate * hidden, a.rows, hidden, a.row_stride};
}

}  // namespace

template <class T>
LstmVariantForward<T> lstm_variant_forward(const LstmVariant& v, const LstmVariantWeights<T>& w, const Array<T>& x,
                                           const Array<T>& h0, const Array<T>& c0) {
  const Extents n = check(v, w, x, h0, c0);
  const Walk walk("lstm_variant_bptt", v.sequences, n.steps, n.batch);
  const std::size_t rows = v.gates() * n.hidden, norm = v.norm_groups;
  const auto cells = [&] { return make_array<T>(n.cells()); };
  const auto normalized = [&](std::size_t size, std::size_t groups) {
    return norm ? Normalized<T>{make_array<T>({n.steps, n.batch, size}), make_array<T>({n.steps, n.batch, groups})}
                : Normalized<T>{};
  };
  LstmVariantForward<T> result{x,
                               h0,
                               c0,
                               cells(),
                               cells(),
                               cells(),
                               cells(),
                               cells(),
                               cells(),
                               cells(),
                               normalized(rows, norm),
                               normalized(rows, norm),
                               normalized(n.hidden, 1),
                               make_array<T>(n.states()),
                               cells(),
                               zeros<T>(n.states()),
                               h0,
                               c0};
  Array<T> z_array = make_array<T>({n.batch, rows}), d_array = z_array, read_array = make_array<T>({n.batch, n.hidden});
  Array<T> r_array = make_array<T>({n.batch, n.width});
  const auto z = whole(z_array), d = whole(d_array), read = whole(read_array), r = whole(r_array);
  const auto zi = columns(z, 0, n.hidden), zf = columns(z, 1, n.hidden);
  const auto zg = columns(z, v.gates() - 2, n.hidden), zo = columns(z, v.gates() - 1, n.hidden);
  const auto h_before = whole(result.h_n), c_before = whole(result.c_n);

  for (std::size_t k = 0; k < n.steps; ++k) {
    const std::size_t t = walk[k];
    std::fill_n(z.data, z.size(), T(0));
    std::fill_n(d.data, d.size(), T(0));
    add_product(z, step(x, t), transpose(whole(w.Wx)));
    add_product(d, h_before, transpose(whole(w.Wh)));
    if (norm) {
      normalize(z, w.nx, v.eps, step(result.nx.hat, t), step(result.nx.scale, t));
      normalize(d, w.nh, v.eps, step(result.nh.hat, t), step(result.nh.scale, t));
    }
    const auto i = step(result.i, t), f = step(result.f, t), g = step(result.g, t), o = step(result.o, t);
    const auto c = step(result.c, t), u = step(result.u, t), h = step(result.unprojected, t);
    for (std::size_t row = 0; row < n.batch; ++row) {
      for (std::size_t j = 0; j < rows; ++j) z(row, j) += d(row, j) + w.b(j);
      for (std::size_t j = 0; j < n.hidden; ++j) {
        const T c_previous = c_before(row, j);
        if (v.peephole) zi(row, j) += w.pi(j) * c_previous;
        if (v.peephole && !v.coupled) zf(row, j) += w.pf(j) * c_previous;
        i(row, j) = sigmoid(zi(row, j));
        f(row, j) = v.coupled ? 1 - i(row, j) : sigmoid(zf(row, j));
        g(row, j) = std::tanh(zg(row, j));
        c(row, j) = f(row, j) * c_previous + i(row, j) * g(row, j);
        read(row, j) = c(row, j);
      }
    }
    if (norm) normalize(read, w.nc, v.eps, step(result.nc.hat, t), step(result.nc.scale, t));
    for (std::size_t row = 0; row < n.batch; ++row)
      for (std::size_t j = 0; j < n.hidden; ++j) {
        if (v.carry) c(row, j) = read(row, j);
        if (v.peephole) zo(row, j) += w.po(j) * c(row, j);
        o(row, j) = sigmoid(zo(row, j));
        u(row, j) = std::tanh(read(row, j));
        h(row, j) = o(row, j) * u(row, j);
      }
    std::fill_n(r.data, r.size(), T(0));
    if (v.projection)
      add_product(r, h, transpose(whole(w.Wp)));
    else
      std::copy_n(h.data, h.size(), r.data);

    const auto output = step(result.h, t), state = step(result.states, t), cell = step(result.cells, t);
    for (std::size_t row = 0; row < n.batch; ++row) {
      if (walk.reaches(row, t)) {
        for (std::size_t j = 0; j < n.width; ++j) h_before(row, j) = output(row, j) = r(row, j);
        for (std::size_t j = 0; j < n.hidden; ++j) c_before(row, j) = c(row, j);
      }
      for (std::size_t j = 0; j < n.width; ++j) state(row, j) = h_before(row, j);
      for (std::size_t j = 0; j < n.hidden; ++j) cell(row, j) = c_before(row, j);
    }
  }
  return result;
}

template <class T>
LstmVariantBackward<T> lstm_variant_backward(const LstmVariant& v, const LstmVariantWeights<T>& w,
                                             const LstmVariantForward<T>& forward, const Array<T>& direct,
                                             const Array<T>& dh_n, const Array<T>& dc_n) {
  const Extents n = check(v, w, forward.x, forward.h0, forward.c0);
  expect("lstm_variant_bptt", "direct", shape_of(direct), n.states(), "like the output");
  expect("lstm_variant_bptt", "dh_n", shape_of(dh_n), {n.batch, n.width}, "like h_n");
  expect("lstm_variant_bptt", "dc_n", shape_of(dc_n), {n.batch, n.hidden}, "like c_n");
  const Walk walk("lstm_variant_bptt", v.sequences, n.steps, n.batch);
  const std::size_t rows = v.gates() * n.hidden;
  const auto like = [](const Array<T>& a) { return zeros<T>(shape_of(a)); };
  const auto norm_like = [&](const NormWeights<T>& norm) { return NormWeights<T>{like(norm.gain), like(norm.bias)}; };
  const auto cells = [&] { return zeros<T>(n.cells()); };
  LstmVariantBackward<T> result{{like(w.Wx), like(w.Wh), like(w.b), like(w.pi), like(w.pf), like(w.po), like(w.Wp),
                                 norm_like(w.nx), norm_like(w.nh), norm_like(w.nc)},
                                like(forward.x),
                                dh_n,
                                dc_n,
                                cells(),
                                cells(),
                                cells(),
                                cells(),
                                cells(),
                                cells()};
  LstmVariantWeights<T>& dw = result.weights;
  Array<T> dz_array = make_array<T>({n.batch, rows}), da_array = dz_array, dd_array = dz_array;
  Array<T> dr_array = make_array<T>({n.batch, n.width});
  const auto dz = whole(dz_array), da = whole(da_array), dd = whole(dd_array), dr = whole(dr_array);
  const auto r_bar = whole(result.dh0), c_bar = whole(result.dc0);

  for (std::size_t k = n.steps; k-- > 0;) {
    const std::size_t t = walk[k];
    const auto x = step(forward.x, t), l = step(direct, t);
    const auto r_previous = k == 0 ? whole(forward.h0) : step(forward.states, walk[k - 1]);
    const auto c_previous = k == 0 ? whole(forward.c0) : step(forward.cells, walk[k - 1]);
    const auto i = step(forward.i, t), f = step(forward.f, t), g = step(forward.g, t), o = step(forward.o, t);
    const auto c = step(forward.c, t), u = step(forward.u, t);
    const auto dh = step(result.dh, t), dc = step(result.dc, t);
    const auto dzi = step(result.dzi, t), dzf = step(result.dzf, t);
    const auto dzg = step(result.dzg, t), dzo = step(result.dzo, t);

    for (std::size_t row = 0; row < n.batch; ++row)
      for (std::size_t j = 0; j < n.width; ++j) {
        const bool takes_part = walk.reaches(row, t);
        dr(row, j) = takes_part ? l(row, j) + r_bar(row, j) : T(0);  // lengths  δr~ = m (ℓ + r̄)
        if (takes_part) r_bar(row, j) = 0;
      }
    if (v.projection) {
      add_product(whole(dw.Wp), transpose(dr), step(forward.unprojected, t));  // projection  δWp += δrᵀ h
      add_product(dh, dr, whole(w.Wp));                                        // projection  δh = δr Wp
    } else {
      std::copy_n(dr.data, dr.size(), dh.data);
    }
    for (std::size_t j = 0; j < dh.size(); ++j) {
      dzo[j] = dh[j] * u[j] * o[j] * (1 - o[j]);  // (2), (5)
      dc[j] = dh[j] * o[j] * (1 - u[j] * u[j]);   // (3), what comes through u
    }
    if (v.norm_groups && !v.carry)
      normalize_backward(dc, w.nc, step(forward.nc.hat, t), step(forward.nc.scale, t), dw.nc);
    for (std::size_t row = 0; row < n.batch; ++row)
      for (std::size_t j = 0; j < n.hidden; ++j) {
        if (walk.reaches(row, t)) {
          dc(row, j) += c_bar(row, j);  // (3)
          c_bar(row, j) = 0;
        }
        if (v.peephole) dc(row, j) += dzo(row, j) * w.po(j);  // peepholes
      }
    if (v.peephole) add_row_products(dw.po, dzo, c);
    if (v.carry) normalize_backward(dc, w.nc, step(forward.nc.hat, t), step(forward.nc.scale, t), dw.nc);
    for (std::size_t row = 0; row < n.batch; ++row)
      for (std::size_t j = 0; j < n.hidden; ++j) {
        const T d_i = dc(row, j) * (v.coupled ? g(row, j) - c_previous(row, j) : g(row, j));  // (4), coupled
        dzi(row, j) = d_i * i(row, j) * (1 - i(row, j));
        if (!v.coupled) dzf(row, j) = dc(row, j) * c_previous(row, j) * f(row, j) * (1 - f(row, j));
        dzg(row, j) = dc(row, j) * i(row, j) * (1 - g(row, j) * g(row, j));
        c_bar(row, j) += dc(row, j) * f(row, j);  // (10)
        if (v.peephole) c_bar(row, j) += dzi(row, j) * w.pi(j);
        if (v.peephole && !v.coupled) c_bar(row, j) += dzf(row, j) * w.pf(j);
      }
    if (v.peephole) add_row_products(dw.pi, dzi, c_previous);
    if (v.peephole && !v.coupled) add_row_products(dw.pf, dzf, c_previous);

    for (std::size_t row = 0; row < n.batch; ++row)
      for (std::size_t j = 0; j < n.hidden; ++j) {
        dz(row, j) = dzi(row, j);
        if (!v.coupled) dz(row, n.hidden + j) = dzf(row, j);
        dz(row, (v.gates() - 2) * n.hidden + j) = dzg(row, j);
        dz(row, (v.gates() - 1) * n.hidden + j) = dzo(row, j);
      }
    add_rows(by_gate(dw.b, 1), dz);  // (7)
    std::copy_n(dz.data, dz.size(), da.data);
    std::copy_n(dz.data, dz.size(), dd.data);
    if (v.norm_groups) {
      normalize_backward(da, w.nx, step(forward.nx.hat, t), step(forward.nx.scale, t), dw.nx);
      normalize_backward(dd, w.nh, step(forward.nh.hat, t), step(forward.nh.scale, t), dw.nh);
    }
    add_product(whole(dw.Wx), transpose(da), x);           // (6)
    add_product(whole(dw.Wh), transpose(dd), r_previous);  // (6)
    add_product(step(result.dx, t), da, whole(w.Wx));      // (8)
    add_product(r_bar, dd, whole(w.Wh));                   // (9)
  }
  return result;
}

#define INSTANTIATE(T)                                                                                    \
  template LstmVariantForward<T> lstm_variant_forward(const LstmVariant&, const LstmVariantWeights<T>&,   \
                                                      const Array<T>&, const Array<T>&, const Array<T>&); \
  template LstmVariantBackward<T> lstm_variant_backward(const LstmVariant&, const LstmVariantWeights<T>&, \
                                                        const LstmVariantForward<T>&, const Array<T>&,    \
                                                        const Array<T>&, const Array<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace nn::manual
