# find_package(hbagent): the SDK's headers as hbagent::sdk, and hbagent_add_plugin().
include(${CMAKE_CURRENT_LIST_DIR}/hbagentTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/HbagentPlugin.cmake)
