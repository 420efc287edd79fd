#include "dashboard_sink.hpp"

HB_SINK_PLUGIN(hb::dashboard::DashboardSink, "dashboard", "A live page in the browser, served by the agent itself.")
