// Programs run directly on the caller's typed arrays, for `neurite/kernels`.
#pragma once
#include <node_api.h>

namespace neurite {

/**
 * runViews(program, views): runs a program once, on this thread and the pool, with one typed array a slot, of the
 * slot's element type and at least its length. Unlike `run` it asks for no alignment.
 */
napi_value run_views(napi_env env, napi_callback_info info);

}  // namespace neurite
