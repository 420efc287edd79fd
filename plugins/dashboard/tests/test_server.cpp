#include <hbagent/catch.hpp>
