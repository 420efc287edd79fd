# hbagent_add_plugin(NAME SOURCES file... [LIBRARIES target...] [TESTS file...] [VERSION x.y.z])
#
# Builds the plugin library NAME.so, which exports hb_plugin_v1 and nothing else and is never unloaded. Inside hbagent's
# own tree it lands in the build's plugin folder; out of the tree it lands in the current binary folder. TESTS become one
# Catch2 program `test_NAME`, registered with CTest, that has the plugin's objects and links the same libraries.
include_guard()

set(HBAGENT_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# The target hbagent_catch: Catch2 2 or 3 with its main, to be used through <hbagent/catch.hpp>.
function(hbagent_find_catch)
  if(TARGET hbagent_catch)
    return()
  endif()
  find_package(Catch2 REQUIRED GLOBAL)
  add_library(hbagent_catch INTERFACE)
  if(TARGET Catch2::Catch2WithMain)
    target_link_libraries(hbagent_catch INTERFACE Catch2::Catch2WithMain hbagent::sdk)
  else()
    # Catch2 2 is one header: compile its main once.
    add_library(hbagent_catch_main STATIC ${HBAGENT_CMAKE_DIR}/catch_main.cpp)
    target_link_libraries(hbagent_catch_main PUBLIC Catch2::Catch2)
    target_link_libraries(hbagent_catch INTERFACE hbagent_catch_main hbagent::sdk)
  endif()
endfunction()

function(hbagent_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION" "SOURCES;LIBRARIES;TESTS")
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "hbagent_add_plugin(${name}): no SOURCES")
  endif()
  if(NOT arg_VERSION)
    set(arg_VERSION "${PROJECT_VERSION}")
  endif()

  add_library(${name}_objects OBJECT ${arg_SOURCES})
  target_link_libraries(${name}_objects PUBLIC hbagent::sdk ${arg_LIBRARIES})
  target_include_directories(${name}_objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  set_target_properties(${name}_objects PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                                                   VISIBILITY_INLINES_HIDDEN ON)
  if(arg_VERSION)
    target_compile_definitions(${name}_objects PRIVATE HB_PLUGIN_VERSION="${arg_VERSION}")
  endif()

  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(linker_language C)
  if(CXX IN_LIST languages)
    set(linker_language CXX)
  endif()
  add_library(${name}_plugin MODULE)
  target_link_libraries(${name}_plugin PRIVATE ${name}_objects)
  target_link_options(${name}_plugin PRIVATE -Wl,-z,nodelete
                      -Wl,--version-script=${HBAGENT_CMAKE_DIR}/plugin.map)
  set_target_properties(${name}_plugin PROPERTIES PREFIX "" OUTPUT_NAME ${name} LINKER_LANGUAGE ${linker_language}
                                                  LINK_DEPENDS ${HBAGENT_CMAKE_DIR}/plugin.map)
  if(HBAGENT_PLUGIN_OUTPUT_DIR)
    set_target_properties(${name}_plugin PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${HBAGENT_PLUGIN_OUTPUT_DIR})
  endif()
  include(GNUInstallDirs)
  install(TARGETS ${name}_plugin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/hbagent/plugins COMPONENT plugin-${name})
  set_property(GLOBAL APPEND PROPERTY HBAGENT_PLUGINS ${name})

  if(arg_TESTS AND BUILD_TESTING)
    hbagent_find_catch()
    add_executable(test_${name} ${arg_TESTS})
    target_link_libraries(test_${name} PRIVATE ${name}_objects hbagent_catch)
    add_test(NAME plugin_${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(plugin_${name} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()
