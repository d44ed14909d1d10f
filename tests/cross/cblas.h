// The part of the C interface to BLAS that the library calls, for builds for systems of which there is no BLAS here.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum CBLAS_ORDER { CblasRowMajor = 101, CblasColMajor = 102 };
enum CBLAS_TRANSPOSE { CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113 };

void cblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a, enum CBLAS_TRANSPOSE transpose_b, int rows,
                 int columns, int inner, float alpha, const float* a, int a_step, const float* b, int b_step,
                 float beta, float* c, int c_step);
void cblas_dgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a, enum CBLAS_TRANSPOSE transpose_b, int rows,
                 int columns, int inner, double alpha, const double* a, int a_step, const double* b, int b_step,
                 double beta, double* c, int c_step);
void cblas_zgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a, enum CBLAS_TRANSPOSE transpose_b, int rows,
                 int columns, int inner, const void* alpha, const void* a, int a_step, const void* b, int b_step,
                 const void* beta, void* c, int c_step);

#ifdef __cplusplus
}
#endif
