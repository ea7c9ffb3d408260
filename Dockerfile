# The planner on an x86 machine, with ROS 2 Jazzy and the engine OpenVINO. Not built by us so far.
#   docker build -t sparse_imagination_ros .
#   docker run --rm -it --network host sparse_imagination_ros
# TORCH_ARGS: for pip, such as where PyTorch's build without CUDA is, which is several GB smaller.
FROM ros:jazzy-ros-base
ARG TORCH_ARGS=""
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv python3-opencv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /ws
RUN /usr/bin/python3 -m venv --system-site-packages venv && touch venv/COLCON_IGNORE \
    && venv/bin/pip install --no-cache-dir torch ${TORCH_ARGS} \
    && venv/bin/pip install --no-cache-dir safetensors gymnasium rich 'openvino>=2025.0'
COPY . src/sparse_imagination_ros
RUN . /opt/ros/jazzy/setup.sh && . venv/bin/activate \
    && python -m colcon build --packages-select sparse_imagination_ros
CMD ["bash", "-c", ". install/setup.bash && exec ros2 launch sparse_imagination_ros planner.launch.py"]
